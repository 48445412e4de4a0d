using System.Globalization;
using System.Text;
using Banking.Domain;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// What the engine itself costs a command, in time and in memory: without the caller, the client of Kafka and the servers. Figures are for
/// one command.
/// </summary>
public class EngineBenchmarks
{
    private const int Batch = 1_000;
    private const int Batches = 40; // more than an aggregate remembers commands: no id is known when it comes again
    private const int Remembered = 16;
    private const int Partition = 0;
    private const long CachedBytes = 64 * 1024 * 1024;

    private readonly EventHeaders[] _headers = [new(), new()];
    private readonly Header _specVersion = new(CloudEventHeaders.SpecVersion, CloudEventHeaders.SpecVersion10);
    private readonly Header _source = new(CloudEventHeaders.Source, "/bank/account"u8.ToArray());
    private readonly Header _type = new(CloudEventHeaders.Type, "Banking.Domain.AccountCredited"u8.ToArray());
    private readonly PooledBuffer _buffer = new();
    private BenchServers _servers = null!;
    private AvroMessageSerde _serde = null!;
    private TopicEncoder _replies = null!;
    private StateStore _store = null!;
    private BatchDecider _decider = null!;
    private BatchDecider _decided = null!;
    private CommandEnvelope[] _commands = [];
    private ConsumeResult<byte[], byte[]>[] _records = [];
    private AvroRecordType _credit = null!;
    private long _next;
    private int _turn;

    /// <summary>Prints the figures.</summary>
    internal static Task Run(Load load, CancellationToken cancellationToken)
    {
        IConfig config = ManualConfig.CreateEmpty()
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddLogger(NullLogger.Instance)
            .AddExporter(MarkdownExporter.Console)
            .AddDiagnoser(MemoryDiagnoser.Default)
            .WithArtifactsPath(Path.Combine(Path.GetTempPath(), "kes-bench-engine"))
            .AddJob(Job.ShortRun.WithToolchain(InProcessNoEmitToolchain.Instance).WithIterationCount(Math.Max(3, load.Runs)));
        BenchmarkDotNet.Reports.Summary summary = BenchmarkRunner.Run<EngineBenchmarks>(config);
        MarkdownExporter.Console.ExportToLog(summary, ConsoleLogger.Default);
        Directory.Delete(Path.Combine(Path.GetTempPath(), "kes-bench-engine"), recursive: true);
        return summary.HasCriticalValidationErrors || summary.Reports.Any(r => !r.Success)
            ? throw new InvalidOperationException("A benchmark failed.")
            : Task.CompletedTask;
    }

    /// <summary>Starts the servers, and decides a first batch.</summary>
    [GlobalSetup]
    public async Task Start()
    {
        _servers = await BenchServers.Start(new Hosting.ServerAddresses(), CancellationToken.None).ConfigureAwait(false);
        AvroRecordType[] types =
        [
            AvroRecordType.Of<OpenAccount>(), AvroRecordType.Of<Credit>(), AvroRecordType.Of<AccountOpened>(),
            AvroRecordType.Of<AccountCredited>(), AvroRecordType.Of<AccountState>(),
            AvroRecordType.Of<CommandReply>(),
        ];
        _serde = AvroMessageSerde.Create(_servers.Registry, types);
        var topics = new TopicFamily("bank", "account");
        TopicEncoder events = await _serde.PrepareAsync(topics.Events, [typeof(AccountOpened), typeof(AccountCredited)],
            CancellationToken.None).ConfigureAwait(false);
        TopicEncoder commands = await _serde.PrepareAsync(topics.Commands, [typeof(OpenAccount), typeof(Credit)],
            CancellationToken.None).ConfigureAwait(false);
        _replies = await _serde.PrepareAsync(topics.Replies, [typeof(CommandReply)], CancellationToken.None).ConfigureAwait(false);
        _credit = AvroRecordType.Of<Credit>();
        ProcessRoutes routes = await ProcessRoutes.Prepare(Account.Definition, "bank", [Account.Definition], _serde,
            CancellationToken.None).ConfigureAwait(false);
        _store = StateStore.Open(Path.Combine(_servers.Folder, "state"), Account.Definition, AvroRecordType.Of<AccountState>(), Remembered);
        var encoders = new ProcessorEncoders(events, _replies, null!, null!, null, routes);
        BatchDecider Decider() => new(
            Account.Definition, Partition, _store, new AggregateCache(_store, Account.Definition, CachedBytes), events, 1_000_000,
            new ParkedAggregates(topics, Partition, TimeProvider.System),
            new ProcessEffects(Account.Definition, topics, Partition, _serde, encoders, null, TimeProvider.System, 1_000_000));
        _decider = Decider();
        DecideAll([.. Enumerable.Range(0, Batch).Select(i =>
            Envelope(i, "open",
                new OpenAccount { Owner = "Somebody", Currency = "CZK", OverdraftLimit = 0, OpenedOn = new DateOnly(2026, 1, 1) }))]);
        _commands = [.. Enumerable.Range(0, Batches * Batch).Select(i =>
            Envelope(i % Batch, i.ToString(CultureInfo.InvariantCulture), Credited()))];
        _records = [.. _commands.Take(Batch).Select((c, i) => Record(commands, c, i))];
        _decided = Decider();
        _decided.Begin(_next);
        foreach (CommandEnvelope command in _commands.Take(Batch))
            _decided.Decide(Incoming(command));
    }

    /// <summary>Ends the servers.</summary>
    [GlobalCleanup]
    public async Task Stop()
    {
        _store.Dispose();
        await _servers.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>A command of the direct door: taken, decided, its event encoded, its outcome and the state stored.</summary>
    [Benchmark(OperationsPerInvoke = Batch, Description = "decide, encode, store")]
    public void Decide()
    {
        _turn = (_turn + 1) % Batches;
        DecideAll(_commands.AsSpan(_turn * Batch, Batch));
    }

    /// <summary>The headers of an event.</summary>
    [Benchmark(OperationsPerInvoke = Batch, Description = "headers of an event")]
    public int Headers()
    {
        int count = 0;
        for (int i = 0; i < Batch; i++)
            count += _headers[i & 1].Of(_decided.Events[i], _specVersion, _source, _type, null).Count;
        return count;
    }

    /// <summary>A record of the command topic, as a consumer hands it out, read.</summary>
    [Benchmark(OperationsPerInvoke = Batch, Description = "read from the command topic")]
    public int Read()
    {
        int faults = 0;
        foreach (ConsumeResult<byte[], byte[]> record in _records)
            faults += CommandRecord.Read(record, default, _serde, Account.Definition).Fault is null ? 0 : 1;
        return faults == 0 ? faults : throw new InvalidOperationException("A command cannot be read.");
    }

    /// <summary>The record of the replies topic.</summary>
    [Benchmark(OperationsPerInvoke = Batch, Description = "reply")]
    public int Reply()
    {
        int bytes = 0;
        foreach ((IncomingCommand command, CommandOutcome outcome) in _decided.Answers)
        {
            _buffer.Clear();
            _replies.Encode(OutcomeReplies.ToReply(command, outcome, Partition), _buffer);
            bytes += _buffer.WrittenCount;
        }

        return bytes;
    }

    private static Credit Credited() => new()
    {
        Amount = 100,
        Currency = "CZK",
        Operation = Operation.CashDeposit,
        Category = Category.Household,
        BookedOn = new DateOnly(2026, 5, 1),
    };

    private static CommandEnvelope Envelope(int aggregate, string command, IAvroRecord payload) =>
        new(AggregateId.Parse($"account-{aggregate:0000}"), CommandId.Parse($"{command}-{aggregate:0000}-0123456789"), payload);

    private static ConsumeResult<byte[], byte[]> Record(TopicEncoder encoder, CommandEnvelope command, int offset)
    {
        var value = new PooledBuffer();
        encoder.Encode((IAvroRecord)command.Payload, value);
        var headers = new Headers
        {
            { CloudEventHeaders.Id, Encoding.UTF8.GetBytes(command.CommandId.Value) },
            { CloudEventHeaders.ReplyTo, "0/somebody"u8.ToArray() },
        };
        return new ConsumeResult<byte[], byte[]>
        {
            TopicPartitionOffset = new TopicPartitionOffset(encoder.Topic, Partition, offset),
            Message = new Message<byte[], byte[]>
            {
                Key = IncomingCommand.KeyOf(command.AggregateId),
                Value = value.WrittenSpan.ToArray(),
                Headers = headers,
                Timestamp = new Timestamp(DateTimeOffset.UnixEpoch),
            },
        };
    }

    private IncomingCommand Incoming(CommandEnvelope command) =>
        IncomingCommand.From(command, DateTimeOffset.UnixEpoch,
            CommandDigest.From(_credit, (IAvroRecord)command.Payload, command.ExpectedVersion));

    private void DecideAll(ReadOnlySpan<CommandEnvelope> commands)
    {
        _decider.Begin(_next);
        foreach (CommandEnvelope command in commands)
            _decider.Decide(Incoming(command));
        if (_decider.Events.Count != commands.Length)
            throw new InvalidOperationException("A command was not accepted.");
        _next += _decider.Events.Count + 1;
        _decider.Apply(_next);
        _decider.Clear();
    }
}
