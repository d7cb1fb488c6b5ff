const { promisify } = require('util');

const obtain = promisify((client, done) => setTimeout(done, 5, null, `token-for-${client}`));

module.exports = async function (client, scope, audience, context, cb) {
  global.tokens = global.tokens || new Map();
  const isKnown = global.tokens.has(client.id);
  if (!isKnown) global.tokens.set(client.id, await obtain(client.id));
  console.log(isKnown ? 'taken from the cache' : 'obtained anew');
  cb(null, { scope, 'https://acme.example/token': global.tokens.get(client.id) });
};
