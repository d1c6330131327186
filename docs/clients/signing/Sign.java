import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Posts one signed command. Needs kafka-clients and Java 17.
 *
 * <p>Sign BROKERS TOPIC KEY_ID SECRET_FILE RECORD_KEY COMMAND
 */
public class Sign {
    /** The bytes after their length; null has a length of its own. */
    private static void part(DataOutputStream out, byte[] data) throws IOException {
        out.writeInt(data == null ? -1 : data.length);
        if (data != null) {
            out.write(data);
        }
    }

    /** Adds the three headers that the record needs; its topic, key and value are final by now. */
    static void sign(ProducerRecord<byte[], byte[]> record, String keyId, byte[] secret) throws Exception {
        String at = Long.toString(System.currentTimeMillis());
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        part(out, "accountd1".getBytes(UTF_8));
        part(out, keyId.getBytes(UTF_8));
        part(out, at.getBytes(UTF_8));
        part(out, record.topic().getBytes(UTF_8));
        part(out, record.key());
        part(out, record.value());
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret, "HmacSHA256"));
        String signature = HexFormat.of().formatHex(mac.doFinal(bytes.toByteArray()));
        record.headers().add("accountd-key-id", keyId.getBytes(UTF_8));
        record.headers().add("accountd-signed-at", at.getBytes(UTF_8));
        record.headers().add("accountd-signature", signature.getBytes(UTF_8));
    }

    public static void main(String[] args) throws Exception {
        if (args.length != 6) {
            System.err.println("Sign BROKERS TOPIC KEY_ID SECRET_FILE RECORD_KEY COMMAND");
            System.exit(2);
        }
        byte[] secret = Files.readAllLines(Path.of(args[3])).get(0).getBytes(UTF_8);
        ProducerRecord<byte[], byte[]> record =
                new ProducerRecord<>(args[1], args[4].getBytes(UTF_8), args[5].getBytes(UTF_8));
        sign(record, args[2], secret);
        Map<String, Object> settings = Map.of("bootstrap.servers", args[0]);
        try (var producer =
                new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.send(record).get();
        }
    }
}
