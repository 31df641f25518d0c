/** What nodes of the EventStoreDB double tell of their cluster and of what they can do. */
import type { ClusterInfo } from '@eventstore/db-client/generated/gossip_pb.js';
import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import type { SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** @returns the cluster as one of its nodes sees it: the leader, and that node where it is another. */
export function clusterOf(own: Endpoint, leader: Endpoint): ClusterInfo {
  const { LEADER, FOLLOWER } = gossip.MemberInfo.VNodeState;
  const members = [member(leader, LEADER)];
  if (own.port !== leader.port) members.push(member(own, FOLLOWER));
  return new gossip.ClusterInfo().setMembersList(members);
}

function member({ host, port }: Endpoint, state: number) {
  return new gossip.MemberInfo()
    .setInstanceId(new shared.UUID().setString(`00000000-0000-4000-8000-${String(port).padStart(12, '0')}`))
    .setTimeStamp('1')
    .setState(state)
    .setIsAlive(true)
    .setHttpEndPoint(new gossip.EndPoint().setAddress(host).setPort(port));
}

/** @returns what a server of version 23.10 says that it can. */
export function supportedMethods(): SupportedMethods {
  const names = ['read', 'append', 'batchappend'];
  const methods = names.map((name) =>
    new features.SupportedMethod().setServiceName('event_store.client.streams.streams').setMethodName(name),
  );
  return new features.SupportedMethods().setEventStoreServerVersion('23.10.7').setMethodsList(methods);
}
