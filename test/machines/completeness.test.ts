import { isPassedThrough, stateName, statesOf, userEventTypes, worldEventTypes } from 'assessment-monitor/testing';
import type { AnyStateNode } from 'xstate';
import { describe, expect, it } from 'vitest';
import { assessmentMachine } from '../../src/machines/assessment-machine.ts';

/* The chart handles every event in every state, or its description says why it ignores the event. */

const alphabet = [...userEventTypes, ...worldEventTypes];
const nodes = statesOf(assessmentMachine);
const descriptionOf = (node: AnyStateNode): string => node.description ?? '';
const isLeaf = (node: AnyStateNode) => node.type === 'atomic';
const isActive = (node: AnyStateNode) => node.path[0] === 'active';

/** The state and those around it, without the machine itself. */
const lineOf = (node: AnyStateNode): AnyStateNode[] =>
  node.parent ? [node, ...lineOf(node.parent as AnyStateNode)] : [];

/** The events that a sentence like "Ignores `a` and `b`: it has ended." names. */
const ignoredBy = (node: AnyStateNode): string[] =>
  [...descriptionOf(node).matchAll(/Ignores ([^:]*):/g)].flatMap(([, names = '']) =>
    [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );

const unanswered = (node: AnyStateNode, events: readonly string[]): string[] => {
  const line = lineOf(node);
  return events
    .filter((type) => !line.some((it) => it.transitions.has(type) || ignoredBy(it).includes(type)))
    .map((type) => `${stateName(node)} does not handle ${type}`);
};

describe('every event', () => {
  it('is handled in every state in which it can arrive, or the description says why the state ignores it', () => {
    const leaves = nodes.filter((node) => isLeaf(node) && isActive(node) && !isPassedThrough(node));
    expect(leaves.length).toBeGreaterThan(10);
    expect(leaves.flatMap((node) => unanswered(node, alphabet))).toEqual([]);
  });

  it('that can arrive before the submission comes from the user, because nothing is invoked there', () => {
    const idle = nodes.filter((node) => stateName(node) === 'idle');
    expect(idle.flatMap(lineOf).flatMap((node) => node.invoke)).toEqual([]);
    expect(idle.flatMap((node) => unanswered(node, userEventTypes))).toEqual([]);
  });

  it('that a description names as ignored exists', () => {
    expect(nodes.flatMap(ignoredBy).filter((type) => !alphabet.includes(type))).toEqual([]);
  });
});

describe('every actor', () => {
  const invocations = nodes.flatMap((node) => node.invoke.map((it) => ({ at: stateName(node), node, ...it })));

  it('that is invoked is named in the setup, and every named one is invoked', () => {
    const named = Object.keys(assessmentMachine.implementations.actors);
    expect([...new Set(invocations.map(({ src }) => String(src)))].toSorted()).toEqual(named.toSorted());
  });

  it('has an id of its own, and the chart handles both its end and its failure', () => {
    expect(
      invocations.flatMap(({ at, node, id }) =>
        [`xstate.done.actor.${id}`, `xstate.error.actor.${id}`]
          .filter((type) => id.includes('.') || !node.transitions.has(type))
          .map((type) => `${at} does not handle ${type}`),
      ),
    ).toEqual([]);
  });
});

describe('every guard, action and delay', () => {
  it('that is named in the setup is used', () => {
    const { guards, actions, delays } = assessmentMachine.implementations;
    const used = JSON.stringify(assessmentMachine.config);
    const names = [guards, actions, delays].flatMap((them) => Object.keys(them));
    expect(names.filter((name) => name !== 'untilDeadline' && !used.includes(`"${name}"`))).toEqual([]);
  });
});

describe('every state', () => {
  it('at the top level or with inner states has a description', () => {
    const described = nodes.filter((node) => node.path.length > 0 && (node.type !== 'atomic' || node.path.length < 3));
    expect(described.filter((node) => !/^.{30,}[.?!]/.test(descriptionOf(node))).map(stateName)).toEqual([]);
  });

  it('that pauses has a description', () => {
    const asking = nodes.filter(({ tags }) => tags.includes('parked'));
    expect(asking.map(stateName)).toEqual(['active.submitting.unconfirmed', 'active.auth-failed', 'active.timed-out']);
    expect(asking.filter((node) => descriptionOf(node) === '').map(stateName)).toEqual([]);
  });
});
