import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.listener.ContainerProperties;
import org.springframework.kafka.listener.KafkaMessageListenerContainer;
import org.springframework.kafka.requestreply.ReplyingKafkaTemplate;
import org.springframework.kafka.requestreply.RequestReplyFuture;
import org.springframework.kafka.support.KafkaHeaders;
import org.springframework.kafka.support.TopicPartitionOffset;
import org.springframework.kafka.support.serializer.JsonDeserializer;
import org.springframework.kafka.support.serializer.JsonSerializer;

/**
 * Talks to accountd by ReplyingKafkaTemplate as it comes, in the ways that Spring's documentation shows, and
 * compares what comes back. Exits with 0 when every case holds, else with 1.
 *
 * <p>TOPICS is what the topics' names begin with: "account" for account.commands, account.replies and account.exports.
 */
public final class SpringClient {
    private static final Duration TIMEOUT = Duration.ofSeconds(20);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final String brokers;
    private final String commands;
    private final String replies;
    private final String exports;
    private final String ownReplies;
    private final String app;
    private final Path file;

    private SpringClient(String[] args) {
        brokers = args[0];
        commands = args[1] + ".commands";
        replies = args[1] + ".replies";
        exports = args[1] + ".exports";
        app = args[2];
        file = Path.of(args[3]);
        ownReplies = args[4];
    }

    private interface Case {
        void run() throws Exception;
    }

    public static void main(String[] args) {
        if (args.length != 5) {
            System.err.println("usage: SpringClient BROKERS TOPICS APP FILE OWN-REPLIES");
            System.exit(2);
        }
        SpringClient client = new SpringClient(args);
        Map<String, Case> cases = new LinkedHashMap<>();
        cases.put("create, edit, error, export", client::wholeConversation);
        cases.put("own reply topic, binary correlation", client::ownReplyTopic);
        cases.put("own reply topic, text correlation", client::textCorrelation);
        cases.put("one partition of the reply topic", client::replyPartition);
        cases.put("shared default reply topic", client::sharedReplyTopic);
        cases.put("values as JSON objects", client::jsonValues);
        cases.put("errors by replyErrorChecker", client::errorChecker);

        int failed = 0;
        for (Map.Entry<String, Case> entry : cases.entrySet()) {
            long start = System.nanoTime();
            try {
                entry.getValue().run();
                long ms = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
                System.out.println("ok " + entry.getKey() + ", " + ms + " ms");
            } catch (Exception | AssertionError problem) {
                failed++;
                System.out.println("FAILED " + entry.getKey());
                problem.printStackTrace(System.out);
            }
        }
        System.exit(failed == 0 ? 0 : 1);
    }

    private void wholeConversation() throws Exception {
        try (Strings client = new Strings(new ContainerProperties(ownReplies))) {
            JsonNode created = client.ask("alice", "{\"op\":\"create\",\"app\":\"" + app
                + "\",\"account\":\"alice\",\"profile\":{\"nickname\":\"Alice\",\"level\":3}}");
            same(1, created.path("revision").asInt(), created.toString());
            System.out.println("created alice, revision " + created.path("revision"));

            JsonNode edited = client.ask("alice", "{\"op\":\"edit\",\"app\":\"" + app
                + "\",\"account\":\"alice\",\"if_revision\":1,\"profile\":{\"level\":4,\"nickname\":null}}");
            System.out.println("edited alice, revision " + edited.path("revision"));

            JsonNode refused = client.ask("nobody", "{\"op\":\"edit\",\"app\":\"" + app
                + "\",\"account\":\"nobody\",\"profile\":{\"level\":4}}");
            System.out.println("refused, " + refused.path("error").path("code").asText());

            ArrayNode names = JSON.createArrayNode();
            for (JsonNode row : client.ask(null, "{\"op\":\"list\",\"app\":\"" + app + "\"}").path("rows")) {
                names.add(row.path("account"));
            }
            try (ExportReader reader = new ExportReader(brokers, exports, TIMEOUT)) {
                JsonNode manifest = client.ask(null,
                    "{\"op\":\"export\",\"app\":\"" + app + "\",\"accounts\":" + names + "}").path("export");
                Files.write(file, reader.file(manifest));
                System.out.println("exported " + manifest.path("accounts") + " accounts in "
                    + manifest.path("chunks") + " chunks");
            }
        }
    }

    private void ownReplyTopic() throws Exception {
        try (Strings client = new Strings(new ContainerProperties(ownReplies))) {
            List<RequestReplyFuture<String, String, String>> pending = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                pending.add(client.send("own-" + i, create("own-" + i)));
            }
            for (int i = 0; i < 50; i++) {
                ConsumerRecord<String, String> reply = client.await(pending.get(i));
                JsonNode body = JSON.readTree(reply.value());
                same("own-" + i, body.path("account").asText(), "account");
                same("ok", body.path("status").asText(), reply.value());
                same("own-" + i, reply.key(), "key");
                same("ok", text(reply, "accountd-status"), "accountd-status");
                same(16, header(reply, KafkaHeaders.CORRELATION_ID).length, "length of the correlation id");
            }
        }
    }

    private void textCorrelation() throws Exception {
        try (Strings client = new Strings(new ContainerProperties(ownReplies))) {
            client.template.setBinaryCorrelation(false);
            RequestReplyFuture<String, String, String> pending = client.send("text", create("text"));
            ConsumerRecord<String, String> reply = client.await(pending);
            String sent = new String(
                pending.getSendFuture().get().getProducerRecord().headers()
                    .lastHeader(KafkaHeaders.CORRELATION_ID).value(), StandardCharsets.UTF_8);
            same(sent, text(reply, KafkaHeaders.CORRELATION_ID), "correlation id");
            UUID.fromString(sent);
        }
    }

    /** A container that is pinned to one partition makes the template ask for it, as four bytes. */
    private void replyPartition() throws Exception {
        TopicPartitionOffset one =
            new TopicPartitionOffset(ownReplies, 2, TopicPartitionOffset.SeekPosition.END);
        try (Strings client = new Strings(new ContainerProperties(one))) {
            for (int i = 0; i < 5; i++) {
                RequestReplyFuture<String, String, String> pending =
                    client.send("pinned-" + i, create("pinned-" + i));
                ConsumerRecord<String, String> reply = client.await(pending);
                byte[] asked = pending.getSendFuture().get().getProducerRecord().headers()
                    .lastHeader(KafkaHeaders.REPLY_PARTITION).value();
                same(2, ByteBuffer.wrap(asked).getInt(), "partition asked for");
                same(2, reply.partition(), "partition of the reply");
            }
        }
    }

    private void sharedReplyTopic() throws Exception {
        try (Strings one = new Strings(new ContainerProperties(replies));
             Strings two = new Strings(new ContainerProperties(replies))) {
            one.template.setSharedReplyTopic(true);
            two.template.setSharedReplyTopic(true);
            RequestReplyFuture<String, String, String> first = one.send("shared-1", create("shared-1"));
            RequestReplyFuture<String, String, String> second = two.send("shared-2", create("shared-2"));
            same("shared-1", JSON.readTree(one.await(first).value()).path("account").asText(), "account");
            same("shared-2", JSON.readTree(two.await(second).value()).path("account").asText(), "account");
        }
    }

    /** The serializer adds a __TypeId__ header; what it says is nothing to accountd. */
    private void jsonValues() throws Exception {
        JsonDeserializer<Map<String, Object>> deserializer =
            new JsonDeserializer<Map<String, Object>>(Map.class, false).trustedPackages("*");
        try (Client<Map<String, Object>> client = new Client<>(
                 new ContainerProperties(ownReplies), new JsonSerializer<>(), deserializer)) {
            Map<String, Object> command = new HashMap<>();
            command.put("v", 1);
            command.put("op", "create");
            command.put("app", app);
            command.put("account", "json");
            command.put("profile", Map.of("nickname", "J\u00f6rg \u2603", "level", 3));
            same("ok", client.await(client.send("json", command)).value().get("status"), "status");

            Map<String, Object> read = client.await(
                client.send("json", Map.of("op", "get", "app", app, "account", "json"))).value();
            Map<?, ?> record = (Map<?, ?>) read.get("record");
            same(Map.of("nickname", "J\u00f6rg \u2603", "level", 3), record.get("profile"), "profile");
        }
    }

    private void errorChecker() throws Exception {
        try (Strings client = new Strings(new ContainerProperties(ownReplies))) {
            client.template.setReplyErrorChecker(record -> {
                Header code = record.headers().lastHeader("accountd-code");
                return code == null ? null
                    : new IllegalStateException(new String(code.value(), StandardCharsets.UTF_8));
            });
            String get = "{\"op\":\"get\",\"app\":\"" + app + "\",\"account\":\"nobody\"}";
            RequestReplyFuture<String, String, String> pending = client.send("nobody", get);
            try {
                client.await(pending);
                throw new AssertionError("the error checker saw no error");
            } catch (java.util.concurrent.ExecutionException refused) {
                same("account_not_found", refused.getCause().getMessage(), "accountd-code");
            }
            client.await(client.send("checked", create("checked")));
        }
    }

    private String create(String account) {
        return "{\"op\":\"create\",\"app\":\"" + app + "\",\"account\":\"" + account + "\"}";
    }

    /** One template and its container, of its own consumer group. */
    private class Client<V> implements AutoCloseable {
        final ReplyingKafkaTemplate<String, V, V> template;
        private final DefaultKafkaProducerFactory<String, V> producers;

        Client(ContainerProperties container, Serializer<V> serializer, Deserializer<V> deserializer)
            throws InterruptedException {
            container.setGroupId("spring-" + UUID.randomUUID());
            container.setPollTimeout(100);
            Map<String, Object> producing = new HashMap<>();
            producing.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
            Map<String, Object> consuming = new HashMap<>();
            consuming.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
            consuming.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");

            producers = new DefaultKafkaProducerFactory<>(producing, new StringSerializer(), serializer);
            template = new ReplyingKafkaTemplate<>(producers, new KafkaMessageListenerContainer<>(
                new DefaultKafkaConsumerFactory<>(consuming, new StringDeserializer(), deserializer), container));
            template.setDefaultReplyTimeout(TIMEOUT);
            template.start();
            if (!template.waitForAssignment(TIMEOUT)) {
                throw new AssertionError("no partitions of the reply topic within " + TIMEOUT);
            }
        }

        RequestReplyFuture<String, V, V> send(String key, V value) {
            return template.sendAndReceive(new ProducerRecord<>(commands, key, value));
        }

        ConsumerRecord<String, V> await(RequestReplyFuture<String, V, V> pending) throws Exception {
            return pending.get(TIMEOUT.toSeconds() + 5, TimeUnit.SECONDS);
        }

        @Override
        public void close() {
            template.stop();
            producers.destroy();
        }
    }

    private final class Strings extends Client<String> {
        Strings(ContainerProperties container) throws InterruptedException {
            super(container, new StringSerializer(), new StringDeserializer());
        }

        JsonNode ask(String key, String command) throws Exception {
            return JSON.readTree(await(send(key, command)).value());
        }
    }

    private static byte[] header(ConsumerRecord<?, ?> record, String name) {
        Header header = record.headers().lastHeader(name);
        if (header == null) {
            throw new AssertionError("the reply has no header " + name);
        }
        return header.value();
    }

    private static String text(ConsumerRecord<?, ?> record, String name) {
        return new String(header(record, name), StandardCharsets.UTF_8);
    }

    private static void same(Object expected, Object got, String what) {
        if (!expected.equals(got)) {
            throw new AssertionError(what + ": expected " + expected + ", got " + got);
        }
    }
}
