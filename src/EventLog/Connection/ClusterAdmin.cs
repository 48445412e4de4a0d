using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Requests to a cluster as a whole. Kafka names any broker as the one to ask, for some seconds also one that has just died, and librdkafka
/// waits for it for a minute: an attempt is short here, and the next one is made by a new client, which learns anew what brokers there are.
/// Thread-safe.
/// </summary>
internal sealed class ClusterAdmin : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan FirstAttempt = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan LongestAttempt = TimeSpan.FromSeconds(20);

    private readonly KafkaConnection _connection;
    private readonly Lock _lock = new();
    private readonly List<IAdminClient> _retired = []; // another caller may still ask by one
    private IAdminClient _admin;
    private bool _disposed;

    /// <summary>Requests to the cluster behind <paramref name="connection"/>.</summary>
    public ClusterAdmin(KafkaConnection connection) => (_connection, _admin) = (connection, connection.BuildAdmin());

    /// <summary>The brokers' metadata of all topics.</summary>
    /// <exception cref="TimeoutException">No broker answers.</exception>
    public Task<Metadata> ReadMetadata(CancellationToken cancellationToken) =>
        Ask("tell its topics", (admin, attempt) => Task.Run(() => admin.GetMetadata(attempt)), cancellationToken);

    /// <summary>The metadata of one topic, which may say that there is none.</summary>
    /// <exception cref="TimeoutException">No broker answers.</exception>
    public Task<Metadata> ReadMetadata(string topic, CancellationToken cancellationToken) =>
        Ask($"report the topic {topic}", (admin, attempt) => Task.Run(() => admin.GetMetadata(topic, attempt)), cancellationToken);

    /// <summary>Asks until there is an answer that is not a passing failure.</summary>
    /// <param name="what">What is asked, in words that follow "does not" and "refuses to".</param>
    /// <param name="ask">Asks, for at most so long.</param>
    /// <param name="cancellationToken">Ends the asking between two attempts.</param>
    /// <exception cref="InvalidInputException">The cluster refuses it for good.</exception>
    /// <exception cref="TimeoutException">There was no answer in time; the message says for how long and what failed last.</exception>
    public async Task<T> Ask<T>(string what, Func<IAdminClient, TimeSpan, Task<T>> ask, CancellationToken cancellationToken)
    {
        var left = new KafkaPatience(Patience, TimeProvider.System);
        for (TimeSpan attempt = FirstAttempt; ; attempt = attempt * 2 < LongestAttempt ? attempt * 2 : LongestAttempt)
        {
            cancellationToken.ThrowIfCancellationRequested();
            IAdminClient admin = Current();
            try
            {
                return await ask(admin, attempt < left.Attempt ? attempt : left.Attempt).ConfigureAwait(false);
            }
            catch (KafkaException failed) when (KafkaPatience.IsPassing(failed.Error))
            {
                if (left.IsOver)
                    throw new TimeoutException($"The cluster at {_connection.BootstrapServers} does not {what} "
                        + $"within {Patience.TotalSeconds} s: {failed.Error.Reason}", failed);
            }
            catch (KafkaException refused)
            {
                throw new InvalidInputException("--kafka",
                    $"The cluster at {_connection.BootstrapServers} refuses to {what}: {refused.Error.Reason}", refused);
            }

            Renew(admin);
            await left.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            foreach (IAdminClient admin in _retired.Append(_admin))
                admin.Dispose();
            _retired.Clear();
        }
    }

    private IAdminClient Current()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _admin;
        }
    }

    private void Renew(IAdminClient failed)
    {
        lock (_lock)
        {
            if (_disposed || !ReferenceEquals(_admin, failed))
                return; // another caller has made a new one
            _retired.Add(_admin);
            _admin = _connection.BuildAdmin();
        }
    }
}
