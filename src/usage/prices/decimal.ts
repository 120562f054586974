/** Money inside: an integer of 10^-18 USD. */
export type Amount = bigint;

/** Decimal places that are reckoned with: prices have up to 12, and are for up to a million units. */
const places = 18;

/** A decimal string, such as `0.00026`, as an amount; what is beyond the last place is cut. */
export function amountOf(text: string): Amount {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.slice(0, places).padEnd(places, '0'));
}

/** An amount as a decimal string without exponent and trailing zeros. */
export function toDecimal(amount: Amount): string {
  const digits = String(amount < 0n ? -amount : amount).padStart(places + 1, '0');
  const fraction = digits.slice(-places).replace(/0+$/, '');
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -places)}${fraction && `.${fraction}`}`;
}

/** An amount times a decimal factor. */
export function times(amount: Amount, factor: string): Amount {
  return (amount * amountOf(factor)) / 10n ** BigInt(places);
}
