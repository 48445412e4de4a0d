using System.Diagnostics;
using System.Globalization;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>Hands one event to its handler, as often as the options say. Thread-safe.</summary>
internal sealed partial class EventHandling
{
    private readonly SubscriptionDefinition _subscription;
    private readonly string _aggregateType;
    private readonly string _group;
    private readonly AvroMessageSerde _serde;
    private readonly IServiceProvider? _services;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ResiliencePipeline _retry;

    public EventHandling(SubscriptionDefinition subscription, string aggregateType, string group, AvroMessageSerde serde,
        IServiceProvider? services, TimeProvider time, ILogger logger)
    {
        (_subscription, _aggregateType, _group, _serde, _services, _time, _logger) = (subscription, aggregateType, group, serde, services,
            time, logger);
        SubscriptionOptions options = subscription.Options;
        var pipeline = new ResiliencePipelineBuilder { TimeProvider = time };
        if (options.Attempts > 1)
        {
            pipeline.AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = arguments =>
                    ValueTask.FromResult(arguments.Outcome.Exception is not null
                        && !arguments.Context.CancellationToken.IsCancellationRequested),
                MaxRetryAttempts = options.Attempts - 1,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = options.RetryDelay,
                MaxDelay = options.MaxRetryDelay,
            });
        }

        _retry = pipeline.Build();
    }

    /// <summary>Handles <paramref name="recorded"/>, which the subscription handles.</summary>
    /// <returns>Null: it was handled; else what the last attempt failed with.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled, whatever the handler made of it.</exception>
    public async Task<HandlingFailure?> Handle(RecordedEvent recorded, CancellationToken cancellationToken)
    {
        int attempt = 0;
        try
        {
            await _retry.ExecuteAsync(
                async token =>
                {
                    if (++attempt > 1)
                        HandlerTelemetry.Retried(_group, recorded.Partition);
                    var context = new EventContext
                    {
                        Subscription = _subscription.Name,
                        AggregateType = _aggregateType,
                        Event = recorded,
                        Attempt = attempt,
                    };
                    using Activity? handling = Tracing.IsOn ? Traced(context) : null;
                    try
                    {
                        await _subscription.Handle(_services, context, token).ConfigureAwait(false);
                    }
                    catch (Exception failed) when (!token.IsCancellationRequested)
                    {
                        Tracing.Fail(handling, failed);
                        LogFailed(_logger, failed, _group, recorded.Partition, recorded.Offset, attempt);
                        throw;
                    }
                },
                cancellationToken).ConfigureAwait(false);
            HandlerTelemetry.Handled(_group, recorded.Partition);
            return null;
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (Exception failed)
        {
            return new HandlingFailure(failed, attempt);
        }
    }

    /// <summary>
    /// What is kept of an aggregate that is parked at <paramref name="recorded"/>; <paramref name="before"/> is where it was parked until
    /// now.
    /// </summary>
    public ParkedAggregate ParkedAt(RecordedEvent recorded, TopicId topic, HandlingFailure failure, ParkedAggregate? before)
    {
        DateTimeOffset now = _time.GetUtcNow();
        bool isSame = before?.Offset == recorded.Offset;
        return new ParkedAggregate
        {
            AggregateId = recorded.AggregateId.Value,
            TopicId = topic.ToString(),
            Partition = recorded.Partition,
            Offset = recorded.Offset,
            Version = recorded.Version,
            EventId = string.Create(CultureInfo.InvariantCulture, $"{recorded.AggregateId.Value}/{recorded.Version}"),
            EventType = _serde.TypeOf(recorded.Payload.GetType()).FullName,
            Attempts = failure.Attempts + (isSame ? before!.Attempts : 0),
            Error = LedgerFormat.Shortened($"{failure.Exception.GetType().Name}: {failure.Exception.Message}"),
            Since = isSame ? before!.Since : now,
            LastAttempt = now,
            Revision = _subscription.Options.Revision,
        };
    }

    // A part of what made the event.
    private static Activity? Traced(EventContext context)
    {
        RecordedEvent recorded = context.Event;
        Activity? handling = Tracing.Start("handle", "process", ActivityKind.Consumer, context.Subscription,
            Tracing.ContextOf(recorded.TraceParent, recorded.TraceState));
        handling?.SetTag("kes.subscription", context.Subscription);
        handling?.SetTag("kes.subscription.attempt", context.Attempt);
        handling?.SetTag("kes.aggregate.type", context.AggregateType);
        handling?.SetTag("kes.aggregate.id", recorded.AggregateId.Value);
        handling?.SetTag("messaging.kafka.offset", recorded.Offset);
        return handling;
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Group}: the event of partition {Partition} at {Offset} was not handled in attempt {Attempt}")]
    private static partial void LogFailed(ILogger logger, Exception failed, string group, int partition, long offset, int attempt);
}

/// <summary>What the last of so many attempts failed with.</summary>
internal sealed record HandlingFailure(Exception Exception, int Attempts);
