/**
 * A TCP client that holds one connection to an echo server and says a number every 5 ms: `node keep-talking.js HOST PORT`. It
 * prints each number that comes back, one a line, and ends with status 1 when the connection does.
 */
import { connect } from 'node:net';

const [host, port] = process.argv.slice(2);
const socket = connect(Number(port), host);
let said = 0;
let rest = '';
socket.on('connect', () => setInterval(() => socket.write(`${(said += 1)}\n`), 5));
socket.on('data', (data) => {
  const lines = (rest + data).split('\n');
  rest = lines.pop();
  for (const line of lines) process.stdout.write(`${line}\n`);
});
for (const end of ['close', 'error']) {
  socket.on(end, () => {
    process.stdout.write(`${end}\n`);
    process.exit(1);
  });
}
