/** Sends numbered datagrams without pause, prints "sending", and the time of each answer. `node udp-flood.js ADDRESS PORT` */
import { createSocket } from 'node:dgram';

const [address, port] = process.argv.slice(2);
const socket = createSocket('udp4');
socket.on('message', () => process.stdout.write(`${String(Date.now())}\n`));
socket.on('error', () => undefined);
let sent = 0;
setInterval(() => {
  if (sent++ === 10) process.stdout.write('sending\n');
  for (let burst = 0; burst < 10; burst++) socket.send('flood', Number(port), address, () => undefined);
}, 1);
