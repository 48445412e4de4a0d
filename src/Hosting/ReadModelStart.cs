using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// Makes the collections and indexes of the read models as soon as MongoDB is there. Commands, strong reads, health and metrics do not wait
/// for it. What MongoDB refuses while the node still starts ends the start, as somebody looks then; later it is tried again.
/// </summary>
internal sealed partial class ReadModelStart
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(15);

    private readonly ILogger _logger;
    private volatile bool _nodeServes;
    private volatile string? _wait = "MongoDB has not answered yet: read models are kept from then on.";

    /// <summary>Begins, and goes on until <paramref name="cancellationToken"/> is cancelled.</summary>
    public ReadModelStart(MongoProjectionStore? store, IReadOnlyList<ProjectionDefinition> projections, ILogger<ReadModelStart> logger,
        TimeProvider time, CancellationToken cancellationToken)
    {
        _logger = logger;
        Ready = store is null
            ? Task.CompletedTask
            : Task.Run(() => Prepare(store, projections, time, cancellationToken), CancellationToken.None);
    }

    /// <summary>Completes when read models can be kept.</summary>
    public Task Ready { get; }

    /// <summary>Why they cannot be kept yet; null: they can.</summary>
    public string? Wait => Ready.IsCompletedSuccessfully ? null : _wait;

    /// <summary>The node serves from now on, with read models or without; it throws what MongoDB has refused until now.</summary>
    public async Task NodeServes()
    {
        _nodeServes = true;
        if (Ready.IsCompleted)
            await Ready.ConfigureAwait(false);
        else
            LogWaits();
    }

    private async Task Prepare(MongoProjectionStore store, IReadOnlyList<ProjectionDefinition> projections, TimeProvider time,
        CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await store.PrepareAsync(projections, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (Exception refused) when (_nodeServes && !cancellationToken.IsCancellationRequested)
            {
                _wait = $"The read models cannot be kept: {refused.Message}";
                LogRefused(refused);
            }

            await Task.Delay(RetryDelay, time, cancellationToken).ConfigureAwait(false);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "MongoDB has not answered yet; the node serves without it, and read models are kept as soon as it does")]
    private partial void LogWaits();

    [LoggerMessage(Level = LogLevel.Error, Message = "MongoDB refuses the collections of the read models; it is asked again")]
    private partial void LogRefused(Exception refused);
}
