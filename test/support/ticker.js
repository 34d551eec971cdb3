/**
 * A TCP stream that never rests. `node ticker.js listen PORT` sends back what it gets; `node ticker.js ADDRESS PORT` sends a byte
 * every few milliseconds, prints a line for each 50 that came back, and "lost" and ends when the stream does.
 */
import { connect, createServer } from 'node:net';

const [address, port] = process.argv.slice(2);
if (address === 'listen') {
  createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  }).listen(Number(port));
} else {
  let back = 0;
  const socket = connect(Number(port), address);
  socket.setNoDelay();
  const timer = setInterval(() => socket.write('x'), 2);
  socket.on('data', (bytes) => {
    const before = back;
    back += bytes.length;
    if (Math.floor(back / 50) > Math.floor(before / 50)) process.stdout.write(`${String(back)}\n`);
  });
  const lost = () => {
    process.stdout.write('lost\n');
    clearInterval(timer);
    process.exit(1);
  };
  socket.on('error', lost);
  socket.on('close', lost);
}
