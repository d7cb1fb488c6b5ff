const jwt = require('jsonwebtoken@9.0.2');

module.exports = function (client, scope, audience, context, cb) {
  const key = context.webtask.secrets.SIGNING_KEY;
  const assertion = jwt.sign({ client: client.id, iat: 1767225600 }, key, { issuer: 'acme', audience });
  jwt.verify(assertion, key, { issuer: 'acme', audience }, (error, claims) => {
    if (error) return cb(error);
    cb(null, { scope, 'https://acme.example/assertion': claims.client });
  });
};
