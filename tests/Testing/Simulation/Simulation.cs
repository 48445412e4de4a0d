namespace KafkaEventSourcing.Testing.Tests.Simulation;

/// <summary>
/// Clients, both doors, one partition and its owners, deterministic by seed: in each step one of them moves, a reply arrives, or a fault
/// happens (crash, pause and a new owner, time-out). The step is the clock.
/// </summary>
internal sealed class Simulation
{
    private const int Clients = 6;
    private const int Steps = 5_000;
    private const int Patience = 40; // steps until a time-out

    private static readonly DateTimeOffset Start = new(2026, 4, 1, 9, 0, 0, TimeSpan.Zero);
    private static readonly AggregateId[] Aggregates = [AggregateId.Parse("hot"), AggregateId.Parse("warm")];

    private readonly Mutation _mutation;
    private readonly Random _random;
    private readonly SimulatedBroker _broker = new();
    private readonly SimulatedStreams _streams;
    private readonly List<SimulatedOwner> _owners = []; // the last is the newest; those before are paused or do not know yet
    private readonly List<SimulatedReply> _replies = [];
    private readonly List<RecordedCall> _calls = [];
    private readonly SimulatedSending?[] _waiting = new SimulatedSending?[Clients];
    private readonly CommandEnvelope?[] _again = new CommandEnvelope?[Clients];
    private readonly Dictionary<AggregateId, long>[] _seen =
        [.. Enumerable.Range(0, Clients).Select(_ => new Dictionary<AggregateId, long>())];
    private SimulatedStore _persisted = new();
    private long _now;
    private int _commands;

    private Simulation(Mutation mutation, int seed)
    {
        (_mutation, _random) = (mutation, new Random(seed));
        _streams = new SimulatedStreams(_broker, mutation, new Random(~seed));
    }

    /// <summary>Runs the simulation of <paramref name="seed"/> and lets the checker judge it.</summary>
    public static HistoryVerdict Run(Mutation mutation, int seed) => Run(mutation, seed, out _);

    /// <summary>Tells besides how many owners were restored from the snapshots of event streams.</summary>
    public static HistoryVerdict Run(Mutation mutation, int seed, out int fromStreams)
    {
        var simulation = new Simulation(mutation, seed);
        simulation.Run();
        fromStreams = simulation._streams.Restores;
        // A restore from events alone forgets refusals, here as in src/Processing.
        var checker = new HistoryChecker(Tally.Definition,
            new HistoryCheckerOptions { RefusalsAreRemembered = false, TimestampFrequency = 1000 });
        return checker.Check([.. simulation._broker.ReadCommitted(0)], simulation._calls);
    }

    private void Run()
    {
        while (_now < Steps)
        {
            _now++;
            _streams.Step();
            Fail();
            if (_owners.Count == 0)
                _owners.Add(NewOwner());
            foreach (SimulatedOwner resting in _owners.Where(o => o.Paused))
                resting.Paused = _random.Next(30) != 0;
            switch (_random.Next(10))
            {
                case < 3:
                    MoveClient(_random.Next(Clients));
                    break;
                case < 5 when _replies.Count > 0:
                    Deliver();
                    break;
                default:
                    MoveOwner(_owners[_random.Next(_owners.Count)]);
                    break;
            }
        }

        _broker.InitTransactions(); // aborts what is open
        foreach (SimulatedSending open in _waiting.OfType<SimulatedSending>())
            _calls.Add(new RecordedCall($"client {open.Client}", open.AggregateId, open.Command, open.Started, null));
    }

    private void Fail()
    {
        if (_owners.Count == 0)
            return;
        SimulatedOwner newest = _owners[^1];
        int fault = _random.Next(600);
        if (fault < 2)
        {
            _persisted = newest.Persisted;
            newest.Crash();
        }
        else if (fault < 5)
        {
            // The group takes it for dead; it may go on in the middle of whatever it did, and does not know.
            newest.Paused = true;
            _persisted = newest.Persisted;
            _owners.Add(NewOwner());
        }

        _owners.RemoveAll(o => o.IsDead);
    }

    // From a store of some age, from the snapshots of event streams, or from events alone.
    private SimulatedOwner NewOwner() =>
        new(_broker, _random.Next(2) == 0 ? _persisted.Copy() : _streams.Restore() ?? new SimulatedStore(), _mutation, _random,
            _replies.Add);

    private static void MoveOwner(SimulatedOwner owner)
    {
        if (!owner.Paused)
            owner.Step();
    }

    private void MoveClient(int client)
    {
        if (_waiting[client] is { } sent)
        {
            if (_now - sent.Started > Patience)
                Return(sent, new CallAnswer.Unknown(_now, "time-out"));
            return;
        }

        AggregateId aggregate = Aggregates[_random.Next(4) == 0 ? 1 : 0];
        SimulatedOwner? owner = OwnerToAsk();
        if (_again[client] is { } again)
        {
            _again[client] = null;
            Send(client, again.AggregateId, again, owner);
        }
        else if (_random.Next(3) > 0)
        {
            Send(client, aggregate, NewCommand(client, aggregate), owner);
        }
        else if (owner is not null)
        {
            owner.Take(_waiting[client] = new SimulatedSending(client, aggregate, null, direct: true, _now));
        }
    }

    private CommandEnvelope NewCommand(int client, AggregateId aggregate) =>
        new(aggregate, CommandId.Parse($"c{++_commands}"), new Tally.Add(_random.Next(-4, 5), _random.Next(4)))
        {
            ExpectedVersion = _random.Next(3) == 0
                ? ExpectedVersion.Exactly(_seen[client].GetValueOrDefault(aggregate))
                : ExpectedVersion.Any,
            Time = Start.AddSeconds(_now),
        };

    private void Send(int client, AggregateId aggregate, CommandEnvelope command, SimulatedOwner? owner)
    {
        bool direct = owner is not null && _random.Next(2) == 0;
        var sending = new SimulatedSending(client, aggregate, command, direct, _now);
        _waiting[client] = sending;
        for (int copies = _random.Next(8) == 0 ? 2 : 1; copies > 0; copies--)
        {
            if (direct)
                owner!.Take(sending);
            else
                _broker.Commands.Add(sending); // a copy that comes twice is a producer's retry
        }
    }

    // Mostly the newest; now and then one that was deposed and does not know.
    private SimulatedOwner? OwnerToAsk()
    {
        SimulatedOwner owner = _random.Next(3) == 0 ? _owners[_random.Next(_owners.Count)] : _owners[^1];
        return owner.Serves ? owner : null;
    }

    private void Deliver()
    {
        int next = _random.Next(_replies.Count);
        SimulatedReply reply = _replies[next];
        _replies.RemoveAt(next);
        if (_waiting[reply.Sending.Client] is not { } waiting)
            return;
        bool awaited = reply.Sending.Direct
            ? ReferenceEquals(waiting, reply.Sending)
            : !waiting.Direct && waiting.Command is { } command && command.CommandId == reply.Sending.Command!.CommandId;
        if (!awaited)
            return;
        if (reply.Unavailable)
            Return(waiting, new CallAnswer.Unknown(_now, "unavailable"));
        else
            Return(waiting, reply.Result is { } result ? new CallAnswer.Told(_now, result) : new CallAnswer.Seen(_now, reply.View));
    }

    private void Return(SimulatedSending sending, CallAnswer answer)
    {
        int client = sending.Client;
        _waiting[client] = null;
        _calls.Add(new RecordedCall($"client {client}, {(sending.Direct ? "direct" : "topic")}", sending.AggregateId, sending.Command,
            sending.Started, answer));
        if (answer is CallAnswer.Told told)
            _seen[client][sending.AggregateId] = told.Result.Version;
        if (answer is CallAnswer.Seen seen)
            _seen[client][sending.AggregateId] = seen.View?.Version ?? 0;
        // Unknown outcomes are mostly asked for again, known ones now and then on purpose.
        if (sending.Command is { } command && _random.Next(10) < (answer is CallAnswer.Unknown ? 8 : 1))
            _again[client] = command;
    }
}
