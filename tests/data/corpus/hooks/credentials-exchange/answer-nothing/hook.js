module.exports = function (client, scope, audience, context, cb) {
  console.info('%s asked for %j', client.name, scope);
  cb();
};
