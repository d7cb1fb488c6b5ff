module.exports = (client, scope, audience, context, cb) => {
  // The result starts empty, so the scopes are gone.
  cb(null, { 'https://acme.example/plan': client.metadata.plan });
};
