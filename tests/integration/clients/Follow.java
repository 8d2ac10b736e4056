// Follows the stream, loses its connection, and goes on where it left off.
//
// usage: java Follow.java ws://host:port/api/v1/stream <subprotocol>
//
// Prints the number of each sample, one a line, and ends after 60.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

final class Follow implements WebSocket.Listener {
    private static final Pattern TYPE = Pattern.compile("^\\{\"type\":\"([a-z]+)\"");
    private static final Pattern EPOCH = Pattern.compile("\"epoch\":\"([0-9a-f]+)\"");
    private static final Pattern SEQ = Pattern.compile("\"seq\":([0-9]+)");

    private final List<Long> seqs;
    private final int count;
    private final StringBuilder text = new StringBuilder();
    private final CompletableFuture<Integer> closed = new CompletableFuture<>();
    private String epoch;
    private boolean closing;

    private Follow(List<Long> seqs, int count) {
        this.seqs = seqs;
        this.count = count;
    }

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
        text.append(part);
        if (last) {
            try {
                message(text.toString());
            } catch (RuntimeException error) {
                closed.completeExceptionally(error);
            }
            text.setLength(0);
            if (seqs.size() >= count && !closing) {
                closing = true;
                socket.sendClose(1000, "");
            }
        }
        socket.request(1);
        return null;
    }

    private void message(String message) {
        var type = TYPE.matcher(message);
        if (!type.find()) {
            throw new IllegalStateException(message);
        }
        switch (type.group(1)) {
            case "hello" -> {
                var found = EPOCH.matcher(message);
                found.find();
                epoch = found.group(1);
            }
            case "history", "sample" -> {
                if (!closing) {
                    SEQ.matcher(message).results().forEach(seq -> seqs.add(Long.parseLong(seq.group(1))));
                }
            }
            case "schema", "heartbeat", "notice" -> { }
            default -> throw new IllegalStateException(message);
        }
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        closed.complete(code);
        return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
        closed.completeExceptionally(error);
    }

    private static String follow(String url, String subprotocol, List<Long> seqs, int count) throws Exception {
        var listener = new Follow(seqs, count);
        var builder = HttpClient.newHttpClient().newWebSocketBuilder().subprotocols(subprotocol);
        var socket = builder.buildAsync(URI.create(url), listener).get(30, TimeUnit.SECONDS);
        check(socket.getSubprotocol().equals(subprotocol), socket.getSubprotocol());
        int code = listener.closed.get(30, TimeUnit.SECONDS);
        check(code == 1000, "closed with " + code);
        return listener.epoch;
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException(what);
        }
    }

    public static void main(String[] args) throws Exception {
        var seqs = new ArrayList<Long>();
        var epoch = follow(args[0] + "?history=all", args[1], seqs, 10);
        var resumed = follow(args[0] + "?since=" + epoch + ":" + seqs.get(seqs.size() - 1), args[1], seqs, 60);
        check(resumed.equals(epoch), "resumed in " + resumed);
        seqs.forEach(System.out::println);
    }
}
