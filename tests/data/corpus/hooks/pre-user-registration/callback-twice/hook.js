module.exports = function (user, context, cb) {
  cb(null, { user: { app_metadata: { answer: 'first' } } });
  cb(new Error('second'));
  cb(null, { user: { app_metadata: { answer: 'third' } } });
};
