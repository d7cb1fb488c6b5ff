const http = require('http');

module.exports = function (user, context, cb) {
  const body = JSON.stringify({ to: user.id, body: 'created' });
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), Authorization: 'Bearer right-token' };
  const call = http.request({ host: '127.0.0.1', port: 18650, path: '/messages', method: 'POST', headers }, (answer) => {
    const parts = [];
    answer.on('data', (part) => parts.push(part));
    answer.on('end', () => cb(null, { status: answer.statusCode, ...JSON.parse(Buffer.concat(parts)) }));
  });
  call.on('error', cb);
  call.end(body);
};
