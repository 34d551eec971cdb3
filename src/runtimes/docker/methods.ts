/** A plugin's methods by name: a message in, an answer out. */
import type { Message } from './message.ts';

export type Methods = Readonly<Record<string, (message: Message) => Message | Promise<Message>>>;
