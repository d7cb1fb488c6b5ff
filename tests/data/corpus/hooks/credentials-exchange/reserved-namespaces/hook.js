module.exports = function (client, scope, audience, context, cb) {
  cb(null, {
    scope,
    'https://acme.auth0.com/role': 'dropped',
    'https://auth0.com/role': 'dropped',
    'http://jobs.webtask.io/role': 'dropped',
    'https://webtask.run/role': 'dropped',
    'ftp://acme.example/role': 'dropped',
    sub: 'dropped',
    'http://acme.example/role': 'kept',
    'https://notauth0.com/role': 'kept',
  });
};
