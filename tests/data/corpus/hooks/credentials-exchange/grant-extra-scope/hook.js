module.exports = function (client, scope, audience, context, cb) {
  const granted = scope || [];
  if (client.metadata.plan === 'team') granted.push('write:orders');
  cb(null, { scope: granted });
};
