using System.Globalization;
using System.Net;
using System.Text;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Hosting.Nodes;

/// <summary>
/// Asks the owner of a partition, on another node. It asks one node once; where to go on is the caller's matter. Thread-safe.
/// </summary>
internal sealed class NodeClient : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2);
    // so that a name that moves to another machine is noticed
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(5);

    private readonly HttpClient _http;
    private readonly string _aggregate;
    private readonly string _node;
    private readonly NodeCodec _codec;
    private readonly NodeSecret? _secret;
    private readonly TimeProvider _time;

    public NodeClient(string aggregate, string node, NodeCodec codec, NodeSecret? secret, TimeProvider time)
    {
        (_aggregate, _node, _codec, _secret, _time) = (aggregate, node, codec, secret, time);
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectTimeout = ConnectTimeout,
            PooledConnectionLifetime = ConnectionLifetime,
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>Has <paramref name="owner"/> decide a command whose payload is <paramref name="payload"/>.</summary>
    public async Task<NodeResponse<CommandResult>> Send(
        PartitionOwnership owner, CommandEnvelope command, byte[] payload, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, AddressOf(owner, NodeProtocol.CommandsPath(_aggregate)))
        {
            Content = new ByteArrayContent(payload) { Headers = { { "Content-Type", NodeProtocol.ContentType } } },
        };
        Add(request, NodeProtocol.AggregateId, command.AggregateId.Value);
        Add(request, NodeProtocol.CommandId, command.CommandId.Value);
        Add(request, NodeProtocol.ExpectedVersion, command.ExpectedVersion.ToString());
        Add(request, NodeProtocol.Time, command.Time is { } time ? Encoding.UTF8.GetString(CloudEventHeaders.Encode(time)) : null);
        Add(request, NodeProtocol.CorrelationId, command.CorrelationId);
        Add(request, NodeProtocol.TraceParent, command.TraceParent);
        Add(request, NodeProtocol.TraceState, command.TraceState);
        return await Ask(owner, request, (_, body) => new NodeResponse<CommandResult>.Answered(_codec.DecodeResult(body)),
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Has <paramref name="owner"/> read an aggregate.</summary>
    public Task<NodeResponse<AggregateView?>> Read(
        PartitionOwnership owner, AggregateId id, ReadConsistency consistency, CancellationToken cancellationToken) =>
        Read(owner, id, NodeProtocol.Consistency, consistency.ToString(), cancellationToken);

    /// <summary>Has <paramref name="owner"/> read an aggregate with at least the write of <paramref name="atLeast"/>.</summary>
    public Task<NodeResponse<AggregateView?>> Read(
        PartitionOwnership owner, AggregateId id, ConsistencyToken atLeast, CancellationToken cancellationToken) =>
        Read(owner, id, NodeProtocol.Token, atLeast.ToString(), cancellationToken);

    /// <summary>Has <paramref name="owner"/> read a page of the events of an aggregate.</summary>
    /// <exception cref="HistoryGoneException">The log does not have the events any more.</exception>
    public async Task<NodeResponse<StoredHistory?>> ReadHistory(PartitionOwnership owner, AggregateId id, HistoryQuery query,
        CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, AddressOf(owner, NodeProtocol.EventsPath(_aggregate)));
        Add(request, NodeProtocol.AggregateId, id.Value);
        Add(request, NodeProtocol.Consistency, query.Consistency.ToString());
        Add(request, NodeProtocol.From, query.From?.ToString(CultureInfo.InvariantCulture));
        Add(request, NodeProtocol.Limit, query.Limit.ToString(CultureInfo.InvariantCulture));
        Add(request, NodeProtocol.Order, query.IsDescending ? NodeProtocol.Descending : NodeProtocol.Ascending);
        try
        {
            return await Ask<StoredHistory?>(
                owner, request,
                (answer, body) => answer.StatusCode == HttpStatusCode.Gone && NodeProtocol.ReadGone(answer) is var (first, last)
                    ? throw new HistoryGoneException(id, first, last, Encoding.UTF8.GetString(body))
                    : new NodeResponse<StoredHistory?>.Answered(
                        answer.StatusCode == HttpStatusCode.NoContent ? null : HistoryCodec.Decode(id, body)),
                cancellationToken).ConfigureAwait(false);
        }
        catch (AvroDecodeException unreadable)
        {
            return new NodeResponse<StoredHistory?>.Unavailable(
                $"The answer of the node {owner.Node} cannot be read: {unreadable.Message}");
        }
    }

    private async Task<NodeResponse<AggregateView?>> Read(
        PartitionOwnership owner, AggregateId id, string promise, string value, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, AddressOf(owner, NodeProtocol.StatePath(_aggregate)));
        Add(request, NodeProtocol.AggregateId, id.Value);
        Add(request, promise, value);
        return await Ask<AggregateView?>(
            owner, request,
            (answer, body) => answer.StatusCode == HttpStatusCode.NoContent ? new NodeResponse<AggregateView?>.Answered(null)
                : _codec.DecodeView(id, owner.Partition, body) is { } view ? new NodeResponse<AggregateView?>.Answered(view)
                : new NodeResponse<AggregateView?>.Unavailable(
                    $"The node {owner.Node} has the state in another schema than this one; the two run different versions of the "
                        + $"application."),
            cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<NodeResponse<T>> Ask<T>(PartitionOwnership owner, HttpRequestMessage request,
        Func<HttpResponseMessage, byte[], NodeResponse<T>> read, CancellationToken cancellationToken)
    {
        Add(request, NodeProtocol.ForwardedBy, _node);
        if (_secret is not null)
            request.Headers.TryAddWithoutValidation("Authorization", _secret.Authorization);
        try
        {
            using HttpResponseMessage answer = await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);
            byte[] body = await answer.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
            if (answer.StatusCode == HttpStatusCode.Locked)
                await _codec.ThrowParked(body).ConfigureAwait(false);
            return answer.StatusCode switch
            {
                HttpStatusCode.OK or HttpStatusCode.NoContent or HttpStatusCode.Gone => read(answer, body),
                HttpStatusCode.MisdirectedRequest =>
                    new NodeResponse<T>.Elsewhere(NodeProtocol.ReadOwner(owner.Partition, answer, _time.GetUtcNow())),
                HttpStatusCode.Unauthorized =>
                    new NodeResponse<T>.Unavailable(
                        $"The node {owner.Node} refuses this one: give all nodes of the application the same --node-secret."),
                HttpStatusCode.TooManyRequests => new NodeResponse<T>.Overloaded(Encoding.UTF8.GetString(body)),
                _ => new NodeResponse<T>.Unavailable(
                    $"The node {owner.Node} answers {(int)answer.StatusCode}: {Encoding.UTF8.GetString(body)}"),
            };
        }
        catch (Exception unreachable) when (unreachable is HttpRequestException or IOException or System.Net.Sockets.SocketException)
        {
            // A SocketException of its own comes out of HttpClient when a connection is reset before it has looked whom it reached.
            return new NodeResponse<T>.Unavailable($"The node {owner.Node} cannot be reached at {owner.Address}: {unreachable.Message}");
        }
        catch (UndecodableMessageException unreadable)
        {
            return new NodeResponse<T>.Unavailable($"The answer of the node {owner.Node} cannot be read: {unreadable.Message}");
        }
    }

    private static Uri AddressOf(PartitionOwnership owner, string path) => new(owner.Address!.AbsoluteUri.TrimEnd('/') + path);

    private static void Add(HttpRequestMessage request, string header, string? value)
    {
        if (value is not null)
            request.Headers.TryAddWithoutValidation(header, NodeProtocol.Encode(value));
    }
}
