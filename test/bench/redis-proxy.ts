// A Redis that is further away, in a process of its own. Arguments: the port of Redis, milliseconds that each answer takes longer.
import net from 'node:net';

const [port, delay] = process.argv.slice(2).map(Number);
const later = (work: () => void) => {
  const at = performance.now() + (delay ?? 0);
  // Timers know whole milliseconds only.
  const wait = () => (performance.now() >= at ? work() : setImmediate(wait));
  if ((delay ?? 0) > 2) setTimeout(wait, (delay ?? 0) - 1);
  else wait();
};
const server = net.createServer((socket) => {
  const upstream = net.connect(port ?? 0, '127.0.0.1');
  socket.setNoDelay(true).pipe(upstream);
  upstream.setNoDelay(true).on('data', (bytes) => later(() => socket.write(bytes)));
  socket.on('error', () => {}).on('close', () => upstream.destroy());
  upstream.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.(typeof address === 'object' && address ? address.port : 0);
});
process.on('disconnect', () => process.exit());
