import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Follows a daemon and prints a line for each sample, with nothing but the JDK (11 or newer):
 * java Follow.java ws://127.0.0.1:7117. A real program parses the JSON with a library.
 */
public class Follow implements WebSocket.Listener {
    static final Pattern HELLO = Pattern.compile("^\\{\"type\":\"hello\",.*\"epoch\":\"(\\w+)\".*\"heartbeat_ms\":(\\d+)");
    static final Pattern SAMPLE = Pattern.compile("\"seq\":(\\d+),\"time\".*?\"system.cpu.utilization\":([\\d.]+|null)");
    static String start = "history=all", epoch;
    static int failures;

    volatile long heard = System.nanoTime(), patience = 15_000;
    volatile boolean over;
    final StringBuilder text = new StringBuilder();

    @Override public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean isLast) {
        heard = System.nanoTime();
        text.append(part);
        if (isLast) take(text.toString());
        if (isLast) text.setLength(0);
        socket.request(1);
        return null;
    }

    @Override public CompletionStage<?> onClose(WebSocket socket, int code, String reason) { over = true; return null; }
    @Override public void onError(WebSocket socket, Throwable error) { over = true; }

    /** Who says nothing for three heartbeats is gone, whether or not the JDK has noticed. */
    boolean isOver() { return over || System.nanoTime() - heard > patience * 1_000_000; }

    void take(String message) {
        if (message.startsWith("{\"type\":\"gap\"")) System.out.println("missing: " + message);
        if (message.startsWith("{\"type\":\"heartbeat\"")) return;
        for (Matcher hello = HELLO.matcher(message); hello.find(); patience = 3 * Long.parseLong(hello.group(2)))
            epoch = hello.group(1);
        for (Matcher sample = SAMPLE.matcher(message); sample.find(); failures = 0) {
            System.out.println(sample.group(1) + " " + sample.group(2));
            start = "since=" + epoch + ":" + sample.group(1);
        }
    }

    public static void main(String[] arguments) throws Exception {
        String stream = (arguments.length > 0 ? arguments[0] : "ws://127.0.0.1:7117") + "/api/v1/stream?";
        for (HttpClient http = HttpClient.newHttpClient();; failures++) {
            Follow listener = new Follow();
            URI uri = URI.create(stream + start + "&metrics=system.cpu.utilization");
            CompletableFuture<WebSocket> socket = http.newWebSocketBuilder().buildAsync(uri, listener);
            while (!listener.isOver() && !socket.isCompletedExceptionally()) Thread.sleep(100);
            socket.thenAccept(WebSocket::abort);
            Thread.sleep((long) (Math.random() * Math.min(60_000, 1_000 * Math.pow(2, failures))));
        }
    }
}
