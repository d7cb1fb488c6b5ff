module.exports = function (user, context, cb) {
  const { headers, body, body_raw, meta, data, params, id, token } = context.webtask;
  cb(null, {
    referer: headers.referer,
    authorization: headers.authorization,
    body: body.user.id,
    raw: JSON.parse(body_raw).user.id,
    hook: meta['hook-name'],
    point: meta['auth0-extension-name'],
    data: data.user.username,
    params: Object.keys(params),
    id: typeof id,
    token: typeof token,
    replaced: context.connection.name,
  });
};
