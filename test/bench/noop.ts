// An external processor that looks at every message and changes nothing, in a process of its own:
// what ext_proc costs before weir does anything. Arguments: the Unix socket, the cluster to route to.

import { names } from '../../src/envoy/inputs.ts';
import {
  loadService,
  type ProcessingRequest,
  type ProcessStream,
  Server,
  ServerCredentials,
} from '../../src/extproc/protocol.ts';
import { forward, responseHead } from '../../src/extproc/replies.ts';

const [socket = '', cluster = ''] = process.argv.slice(2);
const toCluster = forward({ set: { [names.clusterHeader]: cluster }, remove: [] });
const server = new Server({ 'grpc.max_receive_message_length': -1 });
server.addService(loadService(), {
  Process(stream: ProcessStream) {
    stream.on('data', (message: ProcessingRequest) => {
      if (message.request === 'request_body') stream.write({ request_body: { response: toCluster } });
      else if (message.request === 'response_headers')
        stream.write(responseHead({ observe: 'nothing', edit: { set: {}, remove: [] } }));
      else stream.write({ [message.request]: { response: {} } });
    });
    stream.on('end', () => stream.end());
    stream.on('error', () => {});
  },
});
server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  process.send?.('ready');
});
process.on('disconnect', () => process.exit());
