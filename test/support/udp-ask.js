/** Sends one datagram and prints the answer; gives up after a second. `node udp-ask.js ADDRESS PORT FROM_PORT` */
import { createSocket } from 'node:dgram';

const [address, port, from] = process.argv.slice(2);
const socket = createSocket('udp4');
const giveUp = setTimeout(() => process.exit(1), 1000);
socket.on('message', (message) => {
  process.stdout.write(message);
  clearTimeout(giveUp);
  socket.close();
});
socket.bind(Number(from), () => socket.send('who?', Number(port), address));
