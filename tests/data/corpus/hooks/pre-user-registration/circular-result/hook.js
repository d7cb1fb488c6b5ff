module.exports = function (user, context, cb) {
  user.self = user;
  if (context.renderLanguage === 'error') return cb(Object.assign(new Error('tangled'), { user }));
  return cb(null, { user });
};
