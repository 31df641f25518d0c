/** Whom an address stands for: one machine, or one network where a machine has a whole network of addresses. */

/** @returns an IPv4 address as it is, also where it came wrapped in IPv6; of an IPv6 address its network of 64 bits. */
export function callerAt(address: string): string {
  const wrapped = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(address)?.[1];
  if (wrapped !== undefined) return wrapped;
  if (!address.includes(':')) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').toLowerCase().split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const all = [...before, ...Array.from({ length: zeros }, () => '0'), ...after];
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
