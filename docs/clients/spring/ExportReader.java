import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Fetches the files of exports that are asked for after it was made. */
final class ExportReader implements AutoCloseable {
    private final KafkaConsumer<String, byte[]> consumer;
    private final Duration timeout;

    ExportReader(String brokers, String topic, Duration timeout) {
        this.timeout = timeout;
        consumer = new KafkaConsumer<>(Map.of("bootstrap.servers", brokers, "isolation.level", "read_committed"),
            new StringDeserializer(), new ByteArrayDeserializer());
        List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
            .map(one -> new TopicPartition(topic, one.partition())).collect(Collectors.toList());
        consumer.assign(partitions);
        consumer.seekToEnd(partitions);
        // The seek is lazy; asking for the position makes it happen now.
        partitions.forEach(consumer::position);
    }

    /** The bytes of the file that the reply's manifest promises, whole and checked. */
    byte[] file(JsonNode manifest) throws IOException, GeneralSecurityException, TimeoutException {
        Map<Integer, byte[]> chunks = new TreeMap<>();
        long deadline = System.nanoTime() + timeout.toNanos();
        while (chunks.size() < manifest.path("chunks").asInt()) {
            if (System.nanoTime() > deadline) {
                throw new TimeoutException(chunks.size() + " chunks of " + manifest);
            }
            for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                // After a crash of accountd an export may come once more: the manifest names the attempt that counts.
                if (!manifest.path("source").asText().equals(header(record, "export-source"))
                    || header(record, "export-manifest") != null
                    || manifest.path("attempt").asInt() != Integer.parseInt(header(record, "export-attempt"))) {
                    continue;
                }
                if (!sha256(record.value()).equals(header(record, "export-sha256"))) {
                    throw new IOException("chunk " + header(record, "export-seq") + " is not as it was sent");
                }
                chunks.put(Integer.parseInt(header(record, "export-seq")), record.value());
            }
        }
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        for (byte[] chunk : chunks.values()) {
            whole.write(chunk);
        }
        if (!sha256(whole.toByteArray()).equals(manifest.path("sha256").asText())) {
            throw new IOException("the file is not as it was sent");
        }
        return whole.toByteArray();
    }

    private static String header(ConsumerRecord<?, ?> record, String name) {
        Header header = record.headers().lastHeader(name);
        return header == null ? null : new String(header.value(), StandardCharsets.US_ASCII);
    }

    private static String sha256(byte[] bytes) throws GeneralSecurityException {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    @Override
    public void close() {
        consumer.close();
    }
}
