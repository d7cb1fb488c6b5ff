module.exports = (user, context, cb) => {
  console.log('Authorization: Bearer ' + context.webtask.secrets.CRM_TOKEN);
  console.log(JSON.stringify(context));
  cb(null, { names: Object.keys(context.webtask.secrets), frozen: Object.isFrozen(context.webtask.secrets) });
};
