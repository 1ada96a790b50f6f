import { isPassedThrough, stateName, statesOf, userEventTypes, worldEventTypes } from 'assessment-monitor/testing';
import type { AnyStateNode } from 'xstate';
import { describe, expect, it } from 'vitest';
import { stateComments } from '../../scripts/state-comments.ts';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';

/* The chart has an answer to everything that it can be told, and a reason where the answer is to do nothing. */

const alphabet = [...userEventTypes, ...worldEventTypes];
const nodes = statesOf(assessmentMachine);
const comments = stateComments('src/machines/assessment-machine.ts');
const commentOf = (node: AnyStateNode): string => comments.get(stateName(node)) ?? '';
const isLeaf = (node: AnyStateNode) => node.type === 'atomic';
const isActive = (node: AnyStateNode) => node.path[0] === 'active';

/** The state and those around it, without the machine itself. */
const lineOf = (node: AnyStateNode): AnyStateNode[] =>
  node.parent ? [node, ...lineOf(node.parent as AnyStateNode)] : [];

/** The events that a sentence like "Ignores `a` and `b`: it has ended." names. */
const ignoredBy = (node: AnyStateNode): string[] =>
  [...commentOf(node).matchAll(/Ignores ([^:]*):/g)].flatMap(([, names = '']) =>
    [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );

const unanswered = (node: AnyStateNode, events: readonly string[]): string[] => {
  const line = lineOf(node);
  return events
    .filter((type) => !line.some((it) => it.transitions.has(type) || ignoredBy(it).includes(type)))
    .map((type) => `${stateName(node)} has no answer to ${type}`);
};

describe('every event', () => {
  it('has an answer in every state in which it can arrive, or a sentence that says why it is ignored', () => {
    const leaves = nodes.filter((node) => isLeaf(node) && isActive(node) && !isPassedThrough(node));
    expect(leaves.length).toBeGreaterThan(10);
    expect(leaves.flatMap((node) => unanswered(node, alphabet))).toEqual([]);
  });

  it('that can arrive before anything was submitted is of the user, because nothing is invoked there', () => {
    const idle = nodes.filter((node) => stateName(node) === 'idle');
    expect(idle.flatMap(lineOf).flatMap((node) => node.invoke)).toEqual([]);
    expect(idle.flatMap((node) => unanswered(node, userEventTypes))).toEqual([]);
  });

  it('that is said to be ignored exists', () => {
    expect(nodes.flatMap(ignoredBy).filter((type) => !alphabet.includes(type))).toEqual([]);
  });
});

describe('every actor', () => {
  const invocations = nodes.flatMap((node) => node.invoke.map((it) => ({ at: stateName(node), node, ...it })));

  it('that is invoked was named in the setup, and none was named for nothing', () => {
    const named = Object.keys(assessmentMachine.implementations.actors);
    expect([...new Set(invocations.map(({ src }) => String(src)))].toSorted()).toEqual(named.toSorted());
  });

  it('has an id of its own, and the chart says what follows when it is done and when it breaks', () => {
    expect(
      invocations.flatMap(({ at, node, id }) =>
        [`xstate.done.actor.${id}`, `xstate.error.actor.${id}`]
          .filter((type) => id.includes('.') || !node.transitions.has(type))
          .map((type) => `${at} has no answer to ${type}`),
      ),
    ).toEqual([]);
  });
});

describe('every guard, action and delay', () => {
  it('that was named in the setup is used', () => {
    const { guards, actions, delays } = assessmentMachine.implementations;
    const used = JSON.stringify(assessmentMachine.config);
    const names = [guards, actions, delays].flatMap((them) => Object.keys(them));
    expect(names.filter((name) => name !== 'untilDeadline' && !used.includes(`"${name}"`))).toEqual([]);
  });
});

describe('every state', () => {
  it('that a comment is about exists', () => {
    expect(comments.size).toBeGreaterThan(15);
    expect([...comments.keys()].filter((name) => !nodes.some((node) => stateName(node) === name))).toEqual([]);
  });

  it('that a person can be in for a while is described in a sentence', () => {
    const described = nodes.filter((node) => node.path.length > 0 && (node.type !== 'atomic' || node.path.length < 3));
    expect(described.filter((node) => !/^.{30,}[.?!]/.test(commentOf(node))).map(stateName)).toEqual([]);
  });

  it('that asks for something says so in its own words', () => {
    const asking = nodes.filter(({ tags }) => tags.includes('parked'));
    expect(asking.map(stateName)).toEqual(['active.submitting.unconfirmed', 'active.auth-failed', 'active.timed-out']);
    expect(asking.filter((node) => commentOf(node) === '').map(stateName)).toEqual([]);
  });
});
