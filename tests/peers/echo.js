// An echo server of Node.js's own parts, for tests/peers/in_use.
'use strict';
const server = require('net').createServer((client) => {
    client.on('error', () => {}); // a client that resets costs itself
    client.pipe(client);
});
server.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
process.on('SIGINT', () => process.exit(0));
