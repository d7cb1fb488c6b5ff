module.exports = function (user, context, cb) {
  setTimeout(function () {
    if (user.username === 'mira') throw new Error('nobody catches this');
    cb(null, {});
  }, 1);
};
