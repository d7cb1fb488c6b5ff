module.exports = function (client, scope, audience, context, cb) {
  if (!client.metadata.plan) return cb(new ServerError('The plan of this client is not known.'));
  if (!scope || scope.length === 0) return cb(new InvalidRequestError('Ask for at least one scope.'));
  const refused = scope.filter((name) => name.startsWith('admin:'));
  if (refused.length > 0) return cb(new InvalidScopeError(`Not for machines: ${refused.join(', ')}`));
  return cb(null, { scope });
};
