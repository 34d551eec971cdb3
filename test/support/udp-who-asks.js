/** A UDP server that answers every datagram with its own name. `node udp-who-asks.js PORT NAME` */
import { createSocket } from 'node:dgram';

const [port, name] = process.argv.slice(2);
const socket = createSocket('udp4');
socket.on('message', (_message, client) => socket.send(`${name}\n`, client.port, client.address));
socket.bind(Number(port));
