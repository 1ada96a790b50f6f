/* One process of many that play fleets: see crew.ts. */
import { serveTasks } from '../crew.ts';
import { playFleet } from './play-fleet.ts';

serveTasks(playFleet);
