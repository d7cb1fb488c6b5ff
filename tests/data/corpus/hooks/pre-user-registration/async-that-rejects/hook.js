async function lookUp(email) {
  await new Promise((resolve) => setImmediate(resolve));
  if (email.startsWith('down')) throw new Error('the directory is down');
  return { department: 'sales' };
}

module.exports = async function (user, context, cb) {
  const found = await lookUp(user.email);
  cb(null, { user: { app_metadata: found } });
};
