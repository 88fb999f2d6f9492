import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type Delivery,
  Delivery_StatusSchema,
  Delivery_Status as Status,
} from "../../../../../gen/lumetry/v1/channel_service_pb.js";
import { useCollectorNames } from "../../client/collector-names.ts";
import { Age } from "../../ui/age.tsx";
import { Tag, type Tone } from "../../ui/notice.tsx";
import { Facts } from "../../ui/page.tsx";
import { enumWord } from "../../words/counts.ts";
import { msText } from "../../words/sources.ts";

const TONES: Partial<Record<Status, Tone>> = {
  [Status.DELIVERED]: "good",
  [Status.DEAD]: "bad",
  [Status.PENDING]: "warn",
  [Status.SENDING]: "warn",
};

export const DeliveryTag = ({ status }: { status: Status }) => (
  <Tag tone={TONES[status] ?? "plain"}>{enumWord(Delivery_StatusSchema, status)}</Tag>
);

/** One message with all that was tried. */
export function DeliveryView({ delivery }: { delivery: Delivery }) {
  const collectorName = useCollectorNames();
  return (
    <div className="section">
      <Facts
        entries={[
          ["Status", <DeliveryTag key="status" status={delivery.status} />],
          ["Id", <code key="id">{delivery.deliveryId}</code>],
          ["Type", delivery.eventType],
          ["Created", <Age key="created" time={delivery.createTime} />],
          ["Next attempt", delivery.nextAttemptTime && <Age time={delivery.nextAttemptTime} />],
          [
            "Given up",
            delivery.expireTime && !delivery.endTime && <Age time={delivery.expireTime} />,
          ],
          ["Ended", delivery.endTime && <Age time={delivery.endTime} />],
        ]}
      />
      <h3>Attempts</h3>
      {delivery.attempts.length === 0 && <p className="soft">None yet.</p>}
      <ol className="attempts">
        {delivery.attempts.map(({ time, collectorId, httpStatus, failure, duration }) => (
          <li key={`${time?.seconds}.${time?.nanos}`} className="card padded">
            <span className={failure === "" ? "good strong" : "bad strong"}>
              {httpStatus === 0 ? "no answer" : `answered ${httpStatus}`}
            </span>
            <span className="soft">
              <Age time={time} /> by{" "}
              <span className="foreign">
                {collectorId === "" ? "this server" : collectorName(collectorId)}
              </span>
              {duration && `, in ${msText(durationMs(duration))}`}
            </span>
            {failure !== "" && <span className="foreign">{failure}</span>}
          </li>
        ))}
      </ol>
    </div>
  );
}
