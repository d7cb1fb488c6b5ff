module.exports = function (user, context, cb) {
  cb(null, { accepted: true });
  setTimeout(() => console.log('outstanding work goes on'), 1);
};
