module.exports = function (user, context, cb) {
  const { storage } = context.webtask;
  storage.get((error, revoked) => {
    if (error) return cb(error);
    const list = revoked || {};
    list[user.id] = user.last_password_reset;
    storage.set(list, (failure) => (failure ? cb(failure) : cb(null, list)));
  });
};
