using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Sends commands through the command topic and waits for their replies. Replies come to one partition of the replies topic, chosen by the
/// client's id.
/// </summary>
public sealed class CommandClient : ICommandClient, IAsyncDisposable
{
    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan FirstReplyDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestReplyDelay = TimeSpan.FromSeconds(5);

    [ThreadStatic]
    private static PooledBuffer? s_buffer;

    private readonly TopicFamily _topics;
    private readonly AvroMessageSerde _serde;
    private readonly TopicEncoder _encoder;
    private readonly CommandClientOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly IProducer<byte[]?, byte[]> _producer;
    private readonly ConcurrentDictionary<(string Aggregate, string Command), PendingCommand> _pending = [];
    private readonly ConcurrentDictionary<Type, byte[]> _typeNames = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly byte[] _replyTo;
    private readonly byte[] _source;
    private readonly int _replyPartition;
    private readonly int _partitions;
    private readonly ITimer _sweep;
    private readonly Task _replies;

    private CommandClient(
        KafkaConnection connection, TopicFamily topics, AvroMessageSerde serde, TopicEncoder encoder, int partitions, int replyPartitions,
        CommandClientOptions options,
        TimeProvider time, ILogger logger, TaskCompletionSource listening)
    {
        (_topics, _serde, _encoder, _partitions, _options, _time, _logger) = (topics, serde, encoder, partitions, options, time, logger);
        string client = Guid.CreateVersion7(time.GetUtcNow()).ToString("N");
        _replyPartition = Murmur2.Partition(Encoding.UTF8.GetBytes(client), replyPartitions);
        _replyTo = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{_replyPartition}/{client}"));
        _source = Encoding.UTF8.GetBytes(options.Source);
        ProducerConfig config = connection.Producer();
        config.EnableDeliveryReports = true;
        config.DeliveryReportFields = "status";
        _producer = new ProducerBuilder<byte[]?, byte[]>(config).SetLogHandler((_, line) => KafkaConnection.Log(logger, line))
            .SetErrorHandler((_, _) => { }).Build();
        _replies = Task.Factory.StartNew(() => ReadReplies(connection, listening), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        _sweep = time.CreateTimer(_ => Sweep(), null, SweepInterval, SweepInterval);
    }

    /// <summary>Starts a client; it returns when replies can arrive.</summary>
    /// <exception cref="TimeoutException">The cluster does not answer, or does not have the topics.</exception>
    public static async Task<CommandClient> StartAsync(
        KafkaConnection connection, TopicFamily topics, AvroMessageSerde serde, IEnumerable<Type> commandTypes,
        CommandClientOptions options, TimeProvider timeProvider,
        ILoggerFactory loggerFactory, CancellationToken cancellationToken = default)
    {
        TopicEncoder encoder = await serde.PrepareAsync(topics.Commands, commandTypes, cancellationToken).ConfigureAwait(false);
        (int commands, int replies) = await Task.Run(() => PartitionCounts(connection, topics), cancellationToken).ConfigureAwait(false);
        var listening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var client = new CommandClient(connection, topics, serde, encoder, commands, replies, options, timeProvider,
            loggerFactory.CreateLogger<CommandClient>(), listening);
        try
        {
            await listening.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            return client;
        }
        catch
        {
            await client.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public Task<CommandResult> SendAsync(CommandEnvelope command, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(command);
        ObjectDisposedException.ThrowIf(_stop.IsCancellationRequested, this);
        if (command.Payload is not IAvroRecord payload)
            throw new InvalidInputException("command", $"{command.Payload.GetType().Name} is not generated from an Avro schema.");
        if (command.ExpectedVersion.IsDefault)
            throw new InvalidInputException("expectedVersion", "The expected version is default: say any, new, exists, or a number.");

        DateTimeOffset now = _time.GetUtcNow();
        var key = (command.AggregateId.Value, command.CommandId.Value);
        var pending = new PendingCommand(_time.GetTimestamp(), command.Payload, command.ExpectedVersion);
        while (!_pending.TryAdd(key, pending))
        {
            if (!_pending.TryGetValue(key, out PendingCommand? first))
                continue;
            // The same command is on its way already: one sending, one answer. Another one under its id has an answer of its own, which the
            // owner gives; replies are told apart by the id, so it waits its turn.
            return first.IsOf(command) ? first.Outcome.Task.WaitAsync(cancellationToken) : SendAfter(first, command, cancellationToken);
        }

        try
        {
            Produce(command, payload, now, key);
        }
        catch
        {
            _pending.TryRemove(key, out _);
            throw;
        }

        return cancellationToken.CanBeCanceled ? pending.Outcome.Task.WaitAsync(cancellationToken) : pending.Outcome.Task;
    }

    /// <summary>Stops the client; callers still waiting get an <see cref="ObjectDisposedException"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _sweep.DisposeAsync().ConfigureAwait(false);
        await _replies.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach ((string, string) key in _pending.Keys)
        {
            if (_pending.TryRemove(key, out PendingCommand? pending))
                pending.Outcome.TrySetException(new ObjectDisposedException(nameof(CommandClient),
                    "The client was stopped before the answer came; the outcome is not known."));
        }

        _producer.Dispose();
        _stop.Dispose();
    }

    private async Task<CommandResult> SendAfter(PendingCommand first, CommandEnvelope command, CancellationToken cancellationToken)
    {
        await ((Task)first.Outcome.Task).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        return await SendAsync(command, cancellationToken).ConfigureAwait(false);
    }

    private static (int Commands, int Replies) PartitionCounts(KafkaConnection connection, TopicFamily topics)
    {
        using IAdminClient admin = connection.BuildAdmin();
        int Count(string topic)
        {
            try
            {
                return TopicPartitions.Of(admin, topic, MetadataTimeout).Count;
            }
            catch (KafkaException missing) when (!missing.Error.IsLocalError)
            {
                throw new TimeoutException($"The topic {topic} cannot be used: {missing.Error.Reason}", missing);
            }
            catch (KafkaException unreachable)
            {
                throw new TimeoutException($"No Kafka broker answers at {connection.BootstrapServers}: {unreachable.Error.Reason}",
                    unreachable);
            }
        }

        return (Count(topics.Commands), Count(topics.Replies));
    }

    private void Produce(CommandEnvelope command, IAvroRecord payload, DateTimeOffset now, (string, string) key)
    {
        PooledBuffer buffer = s_buffer ??= new PooledBuffer();
        buffer.Clear();
        try
        {
            _encoder.Encode(payload, command.AggregateId.Value, buffer);
        }
        catch (SubjectErasedException erased)
        {
            throw new InvalidInputException("command", erased.Message, erased);
        }
        catch (AvroEncodeException unencodable)
        {
            throw new InvalidInputException("command", $"The command cannot be encoded: {unencodable.Message}", unencodable);
        }

        if (buffer.WrittenCount > _options.MaxCommandBytes)
            throw new InvalidInputException("command",
                $"The command has {buffer.WrittenCount} bytes; at most {_options.MaxCommandBytes} are allowed.");

        byte[] aggregateId = Encoding.UTF8.GetBytes(command.AggregateId.Value);
        var headers = new Headers
        {
            { CloudEventHeaders.SpecVersion, CloudEventHeaders.SpecVersion10 },
            { CloudEventHeaders.Id, Encoding.UTF8.GetBytes(command.CommandId.Value) },
            { CloudEventHeaders.Source, _source },
            { CloudEventHeaders.Type, TypeName(payload) },
            { CloudEventHeaders.Time, CloudEventHeaders.Encode(command.Time ?? now) },
            { CloudEventHeaders.ReplyTo, _replyTo },
        };
        if (!command.ExpectedVersion.IsAny)
            headers.Add(CloudEventHeaders.ExpectedVersion, Encoding.UTF8.GetBytes(command.ExpectedVersion.ToString()));
        if (command.CorrelationId is { } correlation)
            headers.Add(CloudEventHeaders.CorrelationId, Encoding.UTF8.GetBytes(correlation));
        using Activity? sending = Tracing.IsOn ? StartSending(command) : null;
        if ((Tracing.ParentOf(sending) ?? command.TraceParent ?? Tracing.ParentOf(Activity.Current)) is { } trace)
            headers.Add(CloudEventHeaders.TraceParent, Encoding.UTF8.GetBytes(trace));
        if ((sending is null ? Tracing.StateOf(command) : sending.TraceStateString) is { } traceState)
            headers.Add(CloudEventHeaders.TraceState, Encoding.UTF8.GetBytes(traceState));

        var message = new Message<byte[]?, byte[]> { Key = aggregateId, Value = buffer.WrittenSpan.ToArray(), Headers = headers };
        buffer.Clear();
        var partition = new TopicPartition(_topics.Commands, Murmur2.Partition(aggregateId, _partitions));
        Tracing.SetTopic(sending, _topics.Commands, partition.Partition.Value);
        while (true)
        {
            try
            {
                _producer.Produce(partition, message, report =>
                {
                    if (report.Error.IsError && _pending.TryRemove(key, out PendingCommand? failed))
                        failed.Outcome.TrySetException(new TimeoutException(
                            $"The command could not be handed to Kafka: {report.Error.Reason}. The outcome is not known."));
                });
                return;
            }
            catch (ProduceException<byte[]?, byte[]> full) when (full.Error.Code == ErrorCode.Local_QueueFull)
            {
                _producer.Flush(SweepInterval); // waits until there is room, or a while
            }
        }
    }

    private Activity? StartSending(CommandEnvelope command)
    {
        Activity? sending = Tracing.Start("send", "send", ActivityKind.Producer, _topics.Commands,
            Tracing.ContextOf(command.TraceParent, command.TraceState));
        sending?.SetTag("messaging.message.id", command.CommandId.Value);
        sending?.SetTag("messaging.kafka.message.key", command.AggregateId.Value);
        return sending;
    }

    private byte[] TypeName(IAvroRecord payload) =>
        _typeNames.GetOrAdd(payload.GetType(), (type, serde) => Encoding.UTF8.GetBytes(serde.TypeOf(type).FullName), _serde);

    // A reader that fails is made anew, and goes on where it was: whoever waits for a reply must not wait for one that nobody reads.
    private void ReadReplies(KafkaConnection connection, TaskCompletionSource listening)
    {
        var source = new TopicPartition(_topics.Replies, _replyPartition);
        Offset? next = null;
        TimeSpan delay = FirstReplyDelay;
        while (true)
        {
            try
            {
                // Without headers: another client's reply is known by what waits here, not by them.
                using PartitionLogReader reader = PartitionLogReader.Tailing(connection, $"{_topics.Application}-replies", _logger,
                    withHeaders: false);
                // An explicit offset: whatever is sent from now on is answered behind it, however late the first fetch is.
                Offset start = next ??= reader.Bounds(source, _stop.Token).High;
                reader.Begin(new TopicPartitionOffset(source, start));
                listening.TrySetResult();
                while (true)
                {
                    ConsumeResult<byte[], byte[]> record = reader.Next(_stop.Token);
                    next = record.Offset + 1;
                    delay = FirstReplyDelay;
                    Complete(record);
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                listening.TrySetCanceled();
                return;
            }
            catch (KafkaException failed) when (listening.Task.IsCompletedSuccessfully)
            {
                KafkaLog.Client(_logger, LogLevel.Warning, "replies", _topics.Replies,
                    $"cannot be read, and are tried again: {failed.Error.Reason}");
                if (!KafkaPatience.IsPassing(failed.Error))
                    GiveUp(new TimeoutException($"The reply cannot be read from {_topics.Replies}: {failed.Error.Reason}. The outcome is "
                        + $"not known: send the command again under the same id to learn it.", failed));
            }
            catch (Exception failure)
            {
                if (!listening.TrySetException(failure))
                    KafkaLog.Client(_logger, LogLevel.Error, "replies", _topics.Replies, failure.ToString());
                GiveUp(failure);
                throw;
            }

            if (_stop.Token.WaitHandle.WaitOne(delay))
                return;
            delay = delay * 2 < LongestReplyDelay ? delay * 2 : LongestReplyDelay;
        }
    }

    private void GiveUp(Exception reason)
    {
        foreach ((string, string) key in _pending.Keys)
        {
            if (_pending.TryRemove(key, out PendingCommand? pending))
                pending.Outcome.TrySetException(reason);
        }
    }

    private void Complete(ConsumeResult<byte[], byte[]> record)
    {
        if (record.Message.Value is null)
            return; // a writer's proof of its ownership, and nobody's reply
        CommandReply reply;
        try
        {
            reply = (CommandReply)_serde.Decode(record.Message.Value);
        }
        catch (Exception unreadable) when (unreadable is UndecodableMessageException or InvalidCastException)
        {
            // Whoever waits for it learns by time-out that the outcome is not known; the log tells why.
            KafkaLog.Client(_logger, LogLevel.Error, "replies", _topics.Replies, unreadable.Message);
            return;
        }

        if (_pending.TryRemove((reply.AggregateId, reply.CommandId), out PendingCommand? pending))
            CommandReplies.Complete(pending.Outcome, reply);
    }

    private void Sweep()
    {
        foreach (((string Aggregate, string Command) key, PendingCommand pending) in _pending)
        {
            if (_time.GetElapsedTime(pending.Sent) > _options.Timeout && _pending.TryRemove(key, out _))
                pending.Outcome.TrySetException(UnknownOutcome.After(key.Command, _options.Timeout));
        }
    }

    private sealed class PendingCommand(long sent, object payload, ExpectedVersion expected)
    {
        public long Sent => sent;

        public bool IsOf(CommandEnvelope command) => command.ExpectedVersion == expected && command.Payload.Equals(payload);

        public TaskCompletionSource<CommandResult> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
