// Runs inside a namespace of a test and does what its stdin says, a JSON request a line; answers on stdout, same shape.
//   { id, listen: 'tcp' | 'udp', port, name }   answers every client "name sees CLIENT-ADDRESS at LOCAL-PORT"
//   { id, heard: port }                         → how many datagrams came to a port that it listens at
//   { id, dial: 'tcp' | 'udp', host, port, ms } → what the server said, "refused", "unreachable", or "silence" after `ms`
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const plain = (address) => address.replace(/^::ffff:/, '');

/** Port → datagrams received. */
const heard = new Map();

const answers = {
  tcp({ port, name }, done) {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(`${name} sees ${plain(socket.remoteAddress ?? '')} at ${socket.localPort}`);
    });
    server.on('error', (error) => done(error.message));
    server.listen({ port, host: '::' }, () => done('listening'));
  },
  udp({ port, name }, done) {
    let open = 0;
    for (const type of ['udp4', 'udp6']) {
      const socket = createSocket({ type, ipv6Only: type === 'udp6' });
      socket.on('message', (_, peer) => {
        heard.set(port, (heard.get(port) ?? 0) + 1);
        socket.send(`${name} sees ${peer.address} at ${port}`, peer.port, peer.address);
      });
      socket.on('error', (error) => done(error.message));
      socket.bind(port, () => ++open === 2 && done('listening'));
    }
  },
};

const dials = {
  tcp({ host, port, ms }, done) {
    let text = '';
    const socket = connect({ host, port });
    const timer = setTimeout(() => (socket.destroy(), done('silence')), ms);
    const end = (said) => (clearTimeout(timer), done(said));
    socket.on('data', (chunk) => (text += chunk));
    socket.on('error', (error) => end(error.code === 'ECONNREFUSED' ? 'refused' : 'unreachable'));
    socket.on('end', () => end(text));
  },
  udp({ host, port, ms }, done) {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const end = (said) => {
      clearTimeout(timer);
      socket.close();
      done(said);
    };
    const timer = setTimeout(() => end('silence'), ms);
    socket.on('message', (message) => end(String(message)));
    socket.on('error', () => end('unreachable'));
    socket.send('?', port, host, (error) => error && end('unreachable'));
  },
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line);
  let answered = false;
  const done = (said) => {
    if (!answered) process.stdout.write(`${JSON.stringify({ id: request.id, said })}\n`);
    answered = true;
  };
  if (request.heard) done(heard.get(request.heard) ?? 0);
  else if (request.listen) answers[request.listen](request, done);
  else dials[request.dial](request, done);
});
