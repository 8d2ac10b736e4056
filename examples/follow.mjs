// Follows a daemon and prints a line for each sample: node follow.mjs ws://127.0.0.1:7117
// (Node.js 22; in 20 with --experimental-websocket.) After a loss it resumes where it stood; what could not be had any
// more is a gap.

const stream = `${process.argv[2] ?? "ws://127.0.0.1:7117"}/api/v1/stream`;
let start = "history=all";
let failures = 0;

function follow() {
  const socket = new WebSocket(`${stream}?${start}&metrics=system.cpu.utilization`);
  let epoch, giveUp, patience = 15_000;
  // Three heartbeats: who says nothing for so long is gone, whether or not the system has noticed.
  const heard = () => {
    clearTimeout(giveUp);
    giveUp = setTimeout(over, patience);
  };
  // Longer each time, and random, so that a thousand clients do not come back as one.
  const over = () => {
    clearTimeout(giveUp);
    // Where nobody answers a close, it is not waited for.
    socket.onclose = socket.onmessage = null;
    socket.close();
    setTimeout(follow, Math.random() * Math.min(60, 2 ** failures++) * 1000);
  };
  heard();
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "hello") {
      epoch = message.epoch;
      patience = 3 * message.heartbeat_ms;
    } else if (message.type === "gap") {
      console.log("missing:", message);
    }
    heard();
    for (const { seq, values } of message.samples ?? (message.type === "sample" ? [message] : [])) {
      console.log(seq, values["system.cpu.utilization"]);
      // Only now: a position is one of a sample that was dealt with.
      start = `since=${epoch}:${seq}`;
      failures = 0;
    }
  };
  socket.onerror = () => console.error("lost");
  // Comes after every error, too.
  socket.onclose = over;
}

follow();
