using System.Globalization;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// The headers of one event, in memory that is used again for the next: the client copies names and values when it takes the record. What
/// differs from event to event is written over what was there, as long as it is as long.
/// </summary>
internal sealed class EventHeaders
{
    private const int MaxNumberLength = 20;

    private readonly ReusedHeader _id = new(CloudEventHeaders.Id);
    private readonly ReusedHeader _subject = new(CloudEventHeaders.Subject);
    private readonly ReusedHeader _time = new(CloudEventHeaders.Time);
    private readonly ReusedHeader _sequence = new(CloudEventHeaders.Sequence);
    private readonly ReusedHeader _causation = new(CloudEventHeaders.CausationId);
    private readonly ReusedHeader _correlation = new(CloudEventHeaders.CorrelationId);
    private readonly ReusedHeader _digest = new(CommandDigest.Header);
    private Headers _headers = [];

    /// <summary>The headers of <paramref name="decided"/>; they are those of the next event once it is asked for.</summary>
    public Headers Of(in DecidedEvent decided, Header specVersion, Header source, Header type, InputMark? input)
    {
        IncomingCommand cause = decided.Cause;
        ReadOnlySpan<byte> key = decided.Aggregate.Key;
        Span<byte> text = stackalloc byte[AggregateId.MaxBytes + 1 + MaxNumberLength];
        Clear();
        _headers.Add(specVersion);

        key.CopyTo(text);
        text[key.Length] = (byte)'/';
        decided.Version.TryFormat(text[(key.Length + 1)..], out int digits, default, CultureInfo.InvariantCulture);
        _headers.Add(_id.With(text[..(key.Length + 1 + digits)]));
        _headers.Add(source);
        _headers.Add(type);
        _headers.Add(_subject.With(key));
        ReadOnlySpan<byte> sequence = text.Slice(key.Length + 1, digits);
        _headers.Add(_time.With(cause.Time));
        _headers.Add(_sequence.With(sequence));

        Span<byte> command = stackalloc byte[CommandId.MaxBytes];
        command = command[..Encoding.UTF8.GetBytes(cause.CommandId.Value, command)];
        _headers.Add(_causation.With(command));
        _headers.Add(_correlation.With(cause.CorrelationId is { } given ? given : command));
        if (cause.Digest.IsKnown)
            _headers.Add(_digest.With(cause.Digest));
        if (cause.TraceParent is { } trace)
            _headers.Add(CloudEventHeaders.TraceParent, trace);
        if (cause.TraceState is { } traceState)
            _headers.Add(CloudEventHeaders.TraceState, traceState);
        if (input is { } mark)
            _headers.Add(CloudEventHeaders.Input, mark.ToBytes()); // last: readers look nowhere else
        return _headers;
    }

    // The client has no way to empty headers but the list that it shows them by.
    private void Clear()
    {
        if (_headers.BackingList is List<IHeader> used)
            used.Clear();
        if (_headers.Count > 0)
            _headers = [];
    }

    private sealed class ReusedHeader(string name)
    {
        private byte[] _value = [];
        private Header? _header;

        public Header With(ReadOnlySpan<byte> value)
        {
            if (_header is null || _value.Length != value.Length)
            {
                _value = new byte[value.Length];
                _header = new Header(name, _value);
            }

            value.CopyTo(_value);
            return _header;
        }

        public Header With(DateTimeOffset time)
        {
            Span<byte> text = stackalloc byte[CloudEventHeaders.MaxTimeLength];
            return With(text[..CloudEventHeaders.Encode(time, text)]);
        }

        public Header With(CommandDigest digest)
        {
            Span<byte> text = stackalloc byte[CommandDigest.MaxTextBytes];
            return With(text[..digest.Write(text)]);
        }
    }
}
