import { networkInterfaces } from 'node:os';
import { expect, it } from 'vitest';
import { systemNetwork } from '../../infra/network.ts';

it('tells every address that the system tells, by the name of its interface', () => {
  const told = systemNetwork().interfaces();
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
  expect(told.map(({ address }) => address)).toEqual(addresses);
  const local = told.find(({ address }) => address === '127.0.0.1');
  expect(local).toMatchObject({ family: 'IPv4', netmask: '255.0.0.0', cidr: '127.0.0.1/8', internal: true });
});
