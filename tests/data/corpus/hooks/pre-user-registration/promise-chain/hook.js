function delay(ms) {
  return new Promise(function (resolve) { setTimeout(resolve, ms); });
}

module.exports = function (user, context, cb) {
  Promise.all([delay(3), delay(1)])
    .then(function () {
      if (!user.user_metadata.hobby) return Promise.reject(new PreUserRegistrationError('no hobby'));
      return { user: { user_metadata: { hobby: user.user_metadata.hobby.toUpperCase() } } };
    })
    .then(function (result) { cb(null, result); })
    .catch(cb);
};
