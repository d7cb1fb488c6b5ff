module.exports = async (user, context) => {
  const address = new URL('/people', context.webtask.secrets.GATEWAY);
  address.searchParams.set('email', user.email);
  const answer = await fetch(address);
  if (answer.status === 404) throw new PreUserRegistrationError('not in the directory', 'Ask your administrator.');
  return { user: { app_metadata: await answer.json() } };
};
