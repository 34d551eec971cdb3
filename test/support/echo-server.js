/** A TCP server that sends back what it gets. `node echo-server.js PORT` */
import { createServer } from 'node:net';

createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(Number(process.argv[2]), () => {
  process.stdout.write('listening\n');
});
