/** The tables of `etcd.proto`, and the calls of etcd that tsnet makes. */
import { flag, id, int, many, one, text, type Message } from './protobuf.ts';

const ResponseHeader = { revision: int(3) };

const KeyValue = { key: text(1), mod_revision: int(3), value: text(5) };

const RangeRequest = { key: text(1), range_end: text(2), count_only: flag(9) };
const RangeResponse = { header: one(1, ResponseHeader), kvs: many(2, KeyValue) };

const PutRequest = { key: text(1), value: text(2), lease: id(3) };
const DeleteRangeRequest = { key: text(1) };
const RequestOp = { request_put: one(2, PutRequest), request_delete_range: one(3, DeleteRangeRequest) };
const Compare = { result: int(1), target: int(2), key: text(3), mod_revision: int(6) };
const TxnRequest = { compare: many(1, Compare), success: many(2, RequestOp) };
const TxnResponse = { header: one(1, ResponseHeader), succeeded: flag(2) };

const WatchCreateRequest = {
  key: text(1),
  range_end: text(2),
  start_revision: int(3),
  progress_notify: flag(4),
  watch_id: int(7),
};
const WatchCancelRequest = { watch_id: int(1) };
const WatchRequest = { create_request: one(1, WatchCreateRequest), cancel_request: one(2, WatchCancelRequest) };
const Event = { type: int(1), kv: one(2, KeyValue) };
const WatchResponse = {
  header: one(1, ResponseHeader),
  watch_id: int(2),
  created: flag(3),
  canceled: flag(4),
  compact_revision: int(5),
  cancel_reason: text(6),
  events: many(11, Event),
};

const LeaseGrantRequest = { TTL: int(1) };
const LeaseGrantResponse = { ID: id(2), TTL: int(3) };
const LeaseRevokeRequest = { ID: id(1) };
const LeaseRevokeResponse = {};
const LeaseKeepAliveRequest = { ID: id(1) };
const LeaseKeepAliveResponse = { ID: id(2), TTL: int(3) };

const AuthenticateRequest = { name: text(1), password: text(2) };
const AuthenticateResponse = { token: text(2) };

/** For the test against `etcd.proto`. */
export const MESSAGES = {
  ResponseHeader,
  KeyValue,
  RangeRequest,
  RangeResponse,
  PutRequest,
  DeleteRangeRequest,
  RequestOp,
  Compare,
  TxnRequest,
  TxnResponse,
  WatchCreateRequest,
  WatchCancelRequest,
  WatchRequest,
  Event,
  WatchResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  AuthenticateRequest,
  AuthenticateResponse,
} as const satisfies Readonly<Record<string, Message>>;

/** Values of `Compare.result`, `Compare.target` and `Event.type`. */
export const EQUAL = 0;
export const MOD = 2;
export const DELETE = 1;

/** A call: its path, and what goes either way. */
export interface Method<Request extends Message, Answer extends Message> {
  readonly path: string;
  readonly request: Request;
  readonly answer: Answer;
  /** It is a stream by its nature; asked for one answer, it is ended after that. */
  readonly isStream: boolean;
  /** Asked twice it does nothing more than asked once. */
  readonly isRepeatable: boolean;
}

export const RANGE = {
  path: '/etcdserverpb.KV/Range',
  request: RangeRequest,
  answer: RangeResponse,
  isStream: false,
  isRepeatable: true,
} as const;

export const TXN = {
  path: '/etcdserverpb.KV/Txn',
  request: TxnRequest,
  answer: TxnResponse,
  isStream: false,
  isRepeatable: false,
} as const;

export const WATCH = {
  path: '/etcdserverpb.Watch/Watch',
  request: WatchRequest,
  answer: WatchResponse,
  isStream: true,
  isRepeatable: true,
} as const;

export const LEASE_GRANT = {
  path: '/etcdserverpb.Lease/LeaseGrant',
  request: LeaseGrantRequest,
  answer: LeaseGrantResponse,
  isStream: false,
  // A lease that nobody knows of runs out.
  isRepeatable: true,
} as const;

export const LEASE_REVOKE = {
  path: '/etcdserverpb.Lease/LeaseRevoke',
  request: LeaseRevokeRequest,
  answer: LeaseRevokeResponse,
  isStream: false,
  isRepeatable: true,
} as const;

export const LEASE_KEEP_ALIVE = {
  path: '/etcdserverpb.Lease/LeaseKeepAlive',
  request: LeaseKeepAliveRequest,
  answer: LeaseKeepAliveResponse,
  isStream: true,
  isRepeatable: true,
} as const;

export const AUTHENTICATE = {
  path: '/etcdserverpb.Auth/Authenticate',
  request: AuthenticateRequest,
  answer: AuthenticateResponse,
  isStream: false,
  isRepeatable: true,
} as const;
