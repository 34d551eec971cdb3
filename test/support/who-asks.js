/** An HTTP server that tells each client the address it sees it with. `node who-asks.js PORT [ADDRESS]` */
import { createServer } from 'node:http';

const [port, address] = process.argv.slice(2);
createServer((request, response) => {
  response.end(`you are ${(request.socket.remoteAddress ?? '').replace('::ffff:', '')}\n`);
}).listen(Number(port), address, () => {
  process.stdout.write('listening\n');
});
