/* The agent's core, without I/O: agent_step(core, event) -> effects. The daemon (main.c) reads the
 * sensors, runs processes and talks to the controller; the core decides. The same events give the
 * same effects, byte for byte. Times named *_ms are CLOCK_BOOTTIME unless they say wall.
 *
 * What it guarantees: cumulative counters since the epoch; the last desired state is kept and
 * carried out while the controller is away (fail static); two keys before sleep (SAFETY 1, second
 * key). */
#ifndef HUDDLE_AGENT_H
#define HUDDLE_AGENT_H

/* Events in:  AE_TICK, AE_SAMPLE (struct sample), AE_REPLY (struct wire_reply), AE_SEND_FAILED,
 *             AE_PROBE (replica ready or not, why), AE_EXIT (pid, status, last log lines),
 * AE_METRICS (a replica's scraped numbers), AE_SLEEP_CHECK (the node's own occupant check),
 * AE_SAVED. Effects:    AX_SEND (encoded report), AX_START (replica: resolved command, limits),
 * AX_SIGNAL (pid group, signal), AX_PROBE, AX_SCRAPE, AX_SAVE (durable agent state, before what
 * follows in the batch), AX_SLEEP_CHECK, AX_POWER_OFF (op), AX_CAP (watts), AX_LOG. A batch with
 * AX_SAVE is fsynced before its other effects are carried out. */

#endif
