module.exports = async (user, context) => {
  if (user.phoneNumber === '') throw new PreUserRegistrationError('no phone', 'We need your phone number.');
  return { user: { user_metadata: { phone: user.phoneNumber } } };
};
