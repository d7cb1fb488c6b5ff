module.exports = function (user, context, cb) {
  console.log("sessions older than now are not to be trusted");
  cb();
};
