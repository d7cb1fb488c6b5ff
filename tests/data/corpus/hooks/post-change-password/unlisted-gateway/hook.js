module.exports = function (user, context, cb) {
  fetch('http://127.0.0.1:18650/people').then(
    (answer) => cb(null, { status: answer.status }),
    (error) => cb(error.cause || error),
  );
};
